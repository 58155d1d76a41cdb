//! When a core wants to look at the time.

use actix::{Actor, AsyncContext as _, Context, SpawnHandle};
use callboard_cluster::clock::Instant;

use crate::clock;

/// The one timer of an actor that drives a core.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<(Instant, SpawnHandle)>);

impl Alarm {
    /// Rings at this instant, or before: whoever is told too early looks again. Whoever is told says so by
    /// [`rang`](Self::rang).
    pub(super) fn set<A: Actor<Context = Context<A>>>(
        &mut self,
        at: Option<Instant>,
        context: &mut Context<A>,
        ring: fn(&mut A, &mut Context<A>),
    ) {
        let Some(at) = at else { return };
        match self.0 {
            Some((set, _)) if set <= at => return,
            Some((_, handle)) => {
                context.cancel_future(handle);
            }
            None => {}
        }
        self.0 = Some((at, context.run_later(at.since(clock::core_now()), ring)));
    }

    /// It rang, and is not set any more.
    pub(super) fn rang(&mut self) {
        self.0 = None;
    }
}
