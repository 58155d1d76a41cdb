//! The end of a node's membership that it wants itself.

use callboard_protocol::identity::Boot;

use super::{
    Core,
    io::{Connection, Purpose},
    session::{Phase, Step},
};
use crate::store::Command;

impl Core {
    /// Takes no more calls, and leaves once nothing is left.
    pub(crate) fn drain(&mut self) {
        if !self.session.leaves {
            self.session.leaves = true;
            self.turn_away_waiting();
        }
    }

    pub(super) fn leave(&mut self, boot: Boot) {
        if !self.io.can_ask(Connection::Commands) {
            return;
        }
        let draining = self
            .views
            .current
            .as_ref()
            .is_some_and(|view| view.members.get(&boot).is_some_and(|me| me.draining));
        if !draining {
            if !self.session.draining_asked {
                self.session.draining_asked = true;
                self.io.ask(Connection::Commands, Command::Drain { boot }, Purpose::Drain);
            }
            return;
        }
        if self.is_idle() && !self.session.leaving {
            self.session.leaving = true;
            self.io.ask(Connection::Commands, Command::Leave { boot }, Purpose::Leave);
        }
    }

    pub(crate) fn drained(&mut self) {
        self.session.draining_asked = false;
    }

    pub(crate) fn left(&mut self, left: bool) {
        self.session.leaving = false;
        if left {
            self.be_gone();
        } else {
            // Something came meanwhile.
            self.io.wake_after(self.io.settings.retry);
        }
    }

    /// Whoever is to leave and is no member, or cannot say that he leaves and is sure to be fenced for it, is gone.
    pub(super) fn leave_unheard(&mut self) {
        let unheard = match self.session.phase {
            Phase::Opening(..) | Phase::Joining(_, Step::ToAsk) | Phase::Refused(_) => true,
            Phase::Restoring(_) | Phase::Member(_) => !self.holds() && !self.io.can_ask(Connection::Commands),
            Phase::Connecting | Phase::Joining(_, Step::Asked) | Phase::Left => false,
        };
        // Entries that are done with stay behind then: whoever reads them answers callers who have their answers.
        let idle = self.caller.is_empty()
            && self.owner.runs_nothing()
            && self.post.is_empty()
            && self.transfers.is_empty();
        if unheard && self.session.leaves && idle {
            self.be_gone();
        }
    }

    /// Nothing more is asked of the store.
    fn be_gone(&mut self) {
        self.session.phase = Phase::Left;
        for connection in Connection::ALL {
            self.io.close(connection);
        }
    }
}
