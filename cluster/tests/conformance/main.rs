//! Both adapters of the store port give the same answers: the store in memory, on which simulations run, and Redis.
//!
//! Needs `redis-server` 7.0 or later, or its path in `REDIS_SERVER`.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod bad_days;
mod build_keys;
mod cache;
mod cases;
mod connections;
mod differential;
mod findings;
mod permissions;
mod places;
mod server;
mod world;
