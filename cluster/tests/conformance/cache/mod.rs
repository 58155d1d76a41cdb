//! The log of revalidations: the one in memory and the one in Redis give the same answers and push the same.

mod bad_days;
mod cases;
mod connections;
mod differential;
mod world;
