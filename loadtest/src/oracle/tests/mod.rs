//! Histories that are right, and some in which one thing is wrong: exactly that oracle has to see it.

mod bounds;
mod calls;
mod keys;
mod pages;
mod requests;
mod shapes;
