//! This node's session: from its connections through membership to its end.

use std::{collections::BTreeSet, sync::Arc};

use callboard_protocol::identity::{Boot, Incarnation, ViewVersion};

use super::{
    Core, Output, Refusal, SessionState, Timer,
    handover::{HISTORY_MAX, Views},
    io::{Connection, Purpose},
};
use crate::{
    Slot,
    clock::{Instant, RedisClock},
    mutant::Mutant,
    store::{Command, Failure, Renewal, View},
};

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether one command is on its way")]
pub(crate) struct Session {
    pub(super) number: u32,
    pub(super) phase: Phase,
    pub(super) incarnation: Option<Incarnation>,
    /// Calls may start until then.
    pub(super) hold_until: Instant,
    pub(super) told: Option<SessionState>,
    pub(super) next_renewal: Instant,
    pub(super) renewing: bool,
    /// The view is to be read.
    pub(super) view_wanted: bool,
    pub(super) view_asked: bool,
    /// What the store knows that this member applies.
    pub(super) acked: Option<(ViewVersion, BTreeSet<Slot>)>,
    /// How often it said so.
    pub(super) said: u64,
    pub(super) acking: Option<(ViewVersion, BTreeSet<Slot>)>,
    /// Since when keyed calls wait for the store to be opened.
    pub(super) closed_since: Option<Instant>,
    pub(super) opening: bool,
    /// This node is to leave.
    pub(super) leaves: bool,
    pub(super) draining_asked: bool,
    pub(super) leaving: bool,
}

/// How far a session is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Needs its connections.
    #[default]
    Connecting,
    /// Creates its inbox.
    Opening(Boot, Step),
    /// Becomes a member.
    Joining(Boot, Step),
    /// Puts back what it knows of idempotency keys.
    Restoring(Boot),
    /// Is a member.
    Member(Boot),
    /// Left.
    Left,
    /// Cannot be a member as long as others are. It goes on asking, and looks after their leases meanwhile, as they
    /// may all be dead.
    Refused(Boot),
}

/// Whether the command of a phase is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    ToAsk,
    Asked,
}

impl Session {
    /// The current boot, from its inbox on.
    pub(crate) fn boot(&self) -> Option<Boot> {
        match self.phase {
            Phase::Opening(boot, _)
            | Phase::Joining(boot, _)
            | Phase::Restoring(boot)
            | Phase::Member(boot) => Some(boot),
            _ => None,
        }
    }

    /// The current boot, if it is a member.
    pub(crate) fn member(&self) -> Option<Boot> {
        match self.phase {
            Phase::Restoring(boot) | Phase::Member(boot) => Some(boot),
            _ => None,
        }
    }

    pub(crate) fn incarnation(&self) -> Option<&Incarnation> {
        self.incarnation.as_ref()
    }

    pub(crate) fn hold_until(&self) -> Instant {
        self.hold_until
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.leaves
    }

    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.phase, Phase::Refused(_))
    }

    pub(crate) fn want_view(&mut self) {
        self.view_wanted = true;
    }
}

impl Core {
    /// Whether a call may start now.
    pub(crate) fn may_start(&self) -> bool {
        matches!(self.session.phase, Phase::Member(_)) && !self.session.leaves && self.holds()
    }

    /// Whether this session certainly is not fenced.
    pub(super) fn holds(&self) -> bool {
        self.io.now < self.session.hold_until || self.io.has(Mutant::NoHoldCheck)
    }

    /// Whether a client's call is taken.
    pub(crate) fn may_take_calls(&self) -> bool {
        self.may_start()
    }

    /// Whether calls may be given places.
    pub(crate) fn may_send(&self) -> bool {
        matches!(self.session.phase, Phase::Member(_))
    }

    /// Moves the session on.
    pub(crate) fn keep_session(&mut self) {
        if self.session.phase != Phase::Left {
            for connection in Connection::ALL {
                self.io.connect(connection);
            }
        }
        self.leave_unheard();
        let can_ask = self.io.can_ask(Connection::Commands);
        match self.session.phase {
            Phase::Connecting => self.begin_session(),
            Phase::Opening(boot, Step::ToAsk) if can_ask => {
                if self.session.hold_until == Instant::default() {
                    // It counts from the first time it was asked: that may be the one that was executed.
                    self.session.hold_until = self.io.now + self.io.settings.hold;
                }
                self.session.phase = Phase::Opening(boot, Step::Asked);
                self.io.ask(Connection::Commands, Command::OpenInbox { boot }, Purpose::OpenInbox(boot));
            }
            Phase::Joining(boot, Step::ToAsk) if can_ask => {
                let Some(incarnation) = self.io.incarnation(Connection::Commands).cloned() else { return };
                self.session.phase = Phase::Joining(boot, Step::Asked);
                let busy = self.busy_slots();
                let command = Command::Join { boot, profile: self.profile.clone(), incarnation, busy };
                self.io.ask(Connection::Commands, command, Purpose::Join(boot));
            }
            Phase::Restoring(boot) => {
                self.restore_some(boot);
                if self.known.is_restored() {
                    self.session.phase = Phase::Member(boot);
                }
                self.stay_member(boot);
            }
            Phase::Member(boot) => self.stay_member(boot),
            Phase::Refused(boot) => self.look_from_outside(boot),
            _ => {}
        }
        self.tell_state();
    }

    /// Begins a session once all connections lead to the same memory of the store.
    fn begin_session(&mut self) {
        if self.session.leaves && self.is_idle() {
            self.session.phase = Phase::Left;
            return;
        }
        let Some(incarnation) = self.io.incarnation(Connection::Commands).cloned() else { return };
        for connection in [Connection::Requests, Connection::Replies] {
            match self.io.incarnation(connection) {
                None => return,
                Some(other) if *other != incarnation => {
                    for connection in Connection::ALL {
                        self.lose(connection, true);
                    }
                    return;
                }
                Some(_) => {}
            }
        }
        let number = self.session.number + 1;
        let (told, leaves) = (self.session.told, self.session.leaves);
        let boot = Boot { process: self.me, session: number };
        self.session = Session {
            number,
            phase: Phase::Opening(boot, Step::ToAsk),
            incarnation: Some(incarnation),
            told,
            leaves,
            ..Session::default()
        };
        self.reader_afresh();
        self.watch_afresh();
        self.keep_session();
    }

    fn tell_state(&mut self) {
        let state = match self.session.phase {
            Phase::Left => SessionState::Left,
            Phase::Member(_) if self.session.leaves => SessionState::Draining,
            Phase::Member(_) if self.io.now < self.session.hold_until => SessionState::Serving,
            Phase::Member(_) => SessionState::Silent,
            _ => SessionState::Away,
        };
        if self.session.told != Some(state) {
            self.session.told = Some(state);
            self.io.put(Output::Session(state));
        }
    }

    pub(crate) fn inbox_opened(&mut self, boot: Boot, opened: Option<bool>) {
        if self.session.phase != Phase::Opening(boot, Step::Asked) {
            return;
        }
        match opened {
            Some(true) => self.session.phase = Phase::Joining(boot, Step::ToAsk),
            Some(false) => self.end_session(),
            None => self.session.phase = Phase::Opening(boot, Step::ToAsk),
        }
    }

    pub(crate) fn joined(&mut self, boot: Boot, view: View, clock: RedisClock) {
        if self.session.phase != Phase::Joining(boot, Step::Asked) {
            return;
        }
        self.clock = clock;
        self.session.phase = Phase::Restoring(boot);
        self.restore_records();
        self.session.next_renewal = self.io.now;
        self.on_view(view);
        self.transfers_on_view(true);
    }

    pub(crate) fn join_failed(&mut self, boot: Boot) {
        if self.session.phase == Phase::Joining(boot, Step::Asked) {
            self.session.phase = Phase::Joining(boot, Step::ToAsk);
        }
    }

    pub(crate) fn join_refused(&mut self, boot: Boot, ids: Vec<u8>) {
        if self.session.phase == Phase::Joining(boot, Step::Asked) {
            self.session.phase = Phase::Refused(boot);
            self.session.next_renewal = self.io.now + self.io.settings.renew;
            self.io.wake_at(self.session.next_renewal);
            self.io.put(Output::Refused(Refusal::KeysDisagree { ids }));
        }
    }

    /// Asks who is a member now and then, and tries to join again.
    fn look_from_outside(&mut self, boot: Boot) {
        if self.io.now < self.session.next_renewal || !self.io.can_ask(Connection::Commands) {
            return;
        }
        self.session.next_renewal = self.io.now + self.io.settings.renew;
        self.io.wake_at(self.session.next_renewal);
        self.ask_view();
        self.session.phase = Phase::Joining(boot, Step::ToAsk);
    }

    /// The members, as seen by a node that is none.
    fn watch_from_outside(&mut self, view: &View) {
        let members: Vec<Boot> = view.members.keys().copied().collect();
        if self.io.can_ask(Connection::Commands) && !members.is_empty() {
            let command = Command::Leases { boots: members.clone() };
            self.io.ask(Connection::Commands, command, Purpose::Leases(members));
        }
    }

    /// Everything that a member does again and again.
    fn stay_member(&mut self, boot: Boot) {
        if self.io.now >= self.session.next_renewal && !self.session.renewing {
            self.renew(boot);
        }
        let can_ask = self.io.can_ask(Connection::Commands);
        if self.session.view_wanted && !self.session.view_asked && can_ask {
            self.ask_view();
        }
        self.ack_view(boot);
        self.open_store();
        if self.session.leaves {
            self.leave(boot);
        }
        self.io.wake_at(self.session.hold_until);
    }

    fn renew(&mut self, boot: Boot) {
        if !self.io.can_ask(Connection::Commands) {
            return;
        }
        self.session.renewing = true;
        self.session.next_renewal = self.io.now + self.io.settings.renew;
        self.io.set_timer(self.session.next_renewal, Timer::Renew);
        self.io.ask(Connection::Commands, Command::Renew { boot }, Purpose::Renew(boot));
        self.ask_view();
        let others: Vec<Boot> = self.views.current.as_ref().map_or_else(Vec::new, |view| {
            view.members.keys().copied().filter(|other| *other != boot).collect()
        });
        if !others.is_empty() {
            let command = Command::Leases { boots: others.clone() };
            self.io.ask(Connection::Commands, command, Purpose::Leases(others));
        }
        self.trim_replies(boot);
    }

    fn ask_view(&mut self) {
        self.session.view_asked = true;
        self.session.view_wanted = false;
        self.io.ask(Connection::Commands, Command::View, Purpose::View);
    }

    pub(crate) fn renewed(&mut self, boot: Boot, asked: Instant, renewal: Result<Renewal, Failure>) {
        if self.session.member() != Some(boot) {
            return;
        }
        self.session.renewing = false;
        let Ok(renewal) = renewal else { return };
        if Some(&renewal.incarnation) != self.session.incarnation.as_ref() {
            return self.end_session();
        }
        let (from, hold) = if self.io.has(Mutant::HoldFromReply) {
            (self.io.now, self.io.settings.hold)
        } else if self.io.has(Mutant::HoldTooLong) {
            (asked, self.io.settings.fence * 2)
        } else {
            (asked, self.io.settings.hold)
        };
        self.session.hold_until = self.session.hold_until.max(from + hold);
        self.clock = RedisClock::new(renewal.time, asked, self.io.now);
        self.claimed_count(renewal.claimed);
        self.lines_may_start();
    }

    /// The store says that the session is over.
    pub(crate) fn session_fenced(&mut self, boot: Boot) {
        if self.session.boot() == Some(boot) {
            self.end_session();
        }
    }

    pub(crate) fn view_read(&mut self, view: Option<View>) {
        self.session.view_asked = false;
        self.view_seen(view);
    }

    /// A view came along with some other answer.
    pub(crate) fn view_seen(&mut self, view: Option<View>) {
        match view {
            Some(view) if self.session.member().is_none() => self.watch_from_outside(&view),
            None if self.session.member().is_none() => {}
            // The store lost everything.
            None => self.end_session(),
            Some(view) => self.on_view(view),
        }
    }

    pub(crate) fn view_failed(&mut self) {
        self.session.view_asked = false;
    }

    fn on_view(&mut self, view: View) {
        let Some(boot) = self.session.member() else { return };
        if Some(&view.incarnation) != self.session.incarnation.as_ref() {
            return self.end_session();
        }
        let old = self.views.current.as_ref().map(|view| view.version);
        if old.is_some_and(|version| view.version < version) {
            return;
        }
        if !view.members.contains_key(&boot) {
            return self.end_session();
        }
        if view.open {
            self.session.closed_since = None;
        } else if self.session.closed_since.is_none() {
            self.session.closed_since = Some(self.io.now);
            self.io.wake_after(self.io.settings.failover_hold);
        }
        let view = Arc::new(view);
        if old == Some(view.version) {
            self.views.history.pop();
        } else if self.views.history.len() == HISTORY_MAX {
            self.views.history.remove(0);
        }
        self.views.history.push(Arc::clone(&view));
        self.views.current = Some(view);
        self.caller_on_view();
        self.owner_on_view();
        self.post_on_view();
        self.watch_on_view();
        self.transfers_on_view(false);
    }

    /// A connection was made.
    pub(crate) fn connected(&mut self, connection: Connection, incarnation: &Incarnation) {
        if !self.io.connected(connection, incarnation.clone()) {
            return;
        }
        if connection == Connection::Commands && self.last_incarnation.as_ref() != Some(incarnation) {
            if self.last_incarnation.is_some() {
                self.caller_on_loss();
                self.post_on_loss();
                self.orphans_afresh();
            }
            self.last_incarnation = Some(incarnation.clone());
        }
        match &self.session.incarnation {
            Some(ours) if ours != incarnation => self.end_session(),
            Some(_) if connection == Connection::Commands => self.session.next_renewal = self.io.now,
            _ => {}
        }
    }

    /// A session is over although nobody asked for it. What runs, runs on; its answers go out from the next one.
    pub(crate) fn end_session(&mut self) {
        let Some(boot) = self.session.boot() else { return };
        self.io.counters.sessions_lost += 1;
        // First, so that nothing that is turned away now counts as an answer to an entry of a living inbox.
        self.session.phase = Phase::Connecting;
        self.session.incarnation = None;
        self.turn_away_early(boot);
        self.owner_on_session_end();
        self.views = Views::default();
        for connection in [Connection::Requests, Connection::Replies] {
            self.lose(connection, true);
        }
    }
}
