//! What each command promises, one case a test, on each kind of store.

mod adoption;
mod frames;
mod idempotency;
mod membership;
mod orphans;

use crate::{permissions, server::Server, world::World};

fn run(case: impl AsyncFnOnce(&World), world: impl Future<Output = World>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { case(&world.await).await });
}

fn on_memory(case: impl AsyncFnOnce(&World)) {
    run(case, async { World::memory() });
}

fn on_redis(case: impl AsyncFnOnce(&World)) {
    run(case, World::redis(Server::durable(), ""));
}

/// As a user that may do what docs/OPERATIONS.md lists, and nothing else.
fn on_redis_as_user(case: impl AsyncFnOnce(&World)) {
    run(case, World::redis(permissions::server(), permissions::USER));
}

/// A test of each case on each kind of store.
macro_rules! on_each {
    ($($case:ident),* $(,)?) => {
        mod memory {
            $(#[test] fn $case() { super::super::on_memory(super::$case); })*
        }
        mod redis {
            $(#[test] fn $case() { super::super::on_redis(super::$case); })*
        }
        mod redis_as_user {
            $(#[test] fn $case() { super::super::on_redis_as_user(super::$case); })*
        }
    };
}
use on_each;
