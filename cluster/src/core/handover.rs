//! The hand-over of keyed slots: a new owner starts once everybody else applies the view that made it the owner, and
//! runs nothing of the slot any more.

use std::sync::Arc;

use callboard_protocol::identity::{Boot, FencingToken};

use super::{
    Core,
    caller::Line,
    io::{Connection, Purpose},
};
use crate::{
    Slot,
    mutant::Mutant,
    placement,
    store::{Command, View},
};

/// The views this session saw.
#[derive(Debug, Default)]
pub(crate) struct Views {
    pub(crate) current: Option<Arc<View>>,
    /// Different versions of it, oldest first, the current one last.
    pub(super) history: Vec<Arc<View>>,
}

/// How many views are remembered. Beyond that, a slot counts as acquired later than it was, which is harmless.
pub(super) const HISTORY_MAX: usize = 64;

impl Core {
    /// Says which view this member applies, and which slots it is still busy with.
    pub(super) fn ack_view(&mut self, boot: Boot) {
        let Some(version) = self.views.current.as_ref().map(|view| view.version) else { return };
        if self.session.acking.is_some() || !self.io.can_ask(Connection::Commands) {
            return;
        }
        let known = self.session.acked.as_ref().is_some_and(|(acked, _)| *acked == version);
        if known && !self.owner.busy_changed {
            return;
        }
        self.owner.busy_changed = false;
        let busy = self.busy_slots();
        if self.session.acked.as_ref().is_some_and(|(acked, slots)| *acked == version && *slots == busy) {
            return;
        }
        self.session.acking = Some((version, busy.clone()));
        self.session.said += 1;
        let command = Command::AckView { boot, version, busy, number: self.session.said };
        self.io.ask(Connection::Commands, command, Purpose::AckView);
    }

    pub(crate) fn acked(&mut self, done: bool) {
        let acking = self.session.acking.take();
        if done {
            self.session.acked = acking;
        } else {
            self.owner.busy_changed = true;
        }
    }

    /// Opens the store once everybody who may have held a lease in its old memory certainly holds none.
    pub(super) fn open_store(&mut self) {
        let Some(since) = self.session.closed_since else { return };
        if self.io.now.since(since) < self.io.settings.failover_hold
            || self.session.opening
            || !self.io.can_ask(Connection::Commands)
        {
            return;
        }
        let Some(incarnation) = self.session.incarnation.clone() else { return };
        self.session.opening = true;
        self.io.ask(Connection::Commands, Command::Open { incarnation }, Purpose::Open);
    }

    pub(crate) fn opened(&mut self) {
        self.session.opening = false;
    }

    /// The token for a line, if its calls may start here now.
    pub(crate) fn line_token(&self, slot: Slot, line: &Line) -> Option<FencingToken> {
        let (view, boot) = (self.views.current.as_ref()?, self.session.boot()?);
        if !view.open {
            return None;
        }
        let owns = |view: &View| placement::line_owner(view, slot, &line.0) == Some(boot);
        let acquired = self.views.history.iter().rev().take_while(|view| owns(view)).last()?.version;
        let others = view.members.iter().filter(|(other, _)| **other != boot);
        let clear = self.io.has(Mutant::NoWaitForAcks)
            || others.into_iter().all(|(_, member)| member.acked >= acquired && !member.busy.contains(&slot));
        if !clear {
            return None;
        }
        let floor = if self.io.has(Mutant::TokenNotRaised) { acquired } else { acquired.max(view.opened) };
        Some(FencingToken::from_u64(floor.as_u64()))
    }
}
