//! The protocol by which nodes call each other: one state machine per node, without clock, sockets or randomness.
//!
//! Whoever drives it feeds [`Input`]s with the time and performs the [`Output`]s. The documents name the rules
//! (docs/CONSISTENCY.md); [`Invariant`] lists them.

mod caller;
mod courier;
mod finishing;
mod handover;
mod invariants;
mod io;
mod kept;
mod known;
mod leaving;
mod orphans;
mod owner;
mod placing;
mod post;
mod publications;
mod reader;
mod session;
mod settings;
mod starting;
mod state;
mod transfers;
mod watch;

use std::{sync::Arc, time::Duration};

use callboard_protocol::{
    ActionId,
    action::CallId,
    envelope::Namespace,
    identity::{Boot, Incarnation, ProcessId},
};

use self::{
    handover::Views,
    io::{Io, Purpose, Timer},
};
pub use self::{
    invariants::{Counters, Invariant},
    io::{
        Answered, Connection, Ended, Input, Output, Publication, PublicationId, Refusal, RequestId, RunId,
        Start, Submission,
    },
    publications::UNCONFIRMED,
    settings::Settings,
    state::SessionState,
};
use crate::{
    Slot,
    clock::{Instant, RedisClock},
    mutant::Mutants,
    placement,
    store::{self, Answer, Failure, Profile, Sent, Stream, View},
};

/// One node's part in its cluster.
#[derive(Debug)]
pub struct Core {
    me: ProcessId,
    namespace: Namespace,
    profile: Profile,
    io: Io,
    session: session::Session,
    views: Views,
    clock: RedisClock,
    caller: caller::Caller,
    owner: owner::Owner,
    post: post::Post,
    reader: reader::Reader,
    watch: watch::Watch,
    orphans: orphans::Orphans,
    known: known::Known,
    publications: publications::Publications,
    transfers: transfers::Transfers,
    last_incarnation: Option<Incarnation>,
}

impl Core {
    /// A node that is no member yet. The first input makes it begin.
    #[must_use]
    pub fn new(
        me: ProcessId,
        namespace: Namespace,
        profile: Profile,
        settings: Arc<Settings>,
        mutants: Mutants,
    ) -> Self {
        Self {
            me,
            namespace,
            profile,
            io: Io::new(settings, mutants),
            session: session::Session::default(),
            views: Views::default(),
            clock: RedisClock::default(),
            caller: caller::Caller::default(),
            owner: owner::Owner::default(),
            post: post::Post::default(),
            reader: reader::Reader::default(),
            watch: watch::Watch::default(),
            orphans: orphans::Orphans::default(),
            known: known::Known::default(),
            publications: publications::Publications::default(),
            transfers: transfers::Transfers::default(),
            last_incarnation: None,
        }
    }

    /// Takes an input at an instant and gives back what is to be done, in this order.
    pub fn step(&mut self, now: Instant, input: Input) -> Vec<Output> {
        self.step_all(now, [input])
    }

    /// Takes what came together, in this order: what it leads to is sent together, too.
    pub fn step_all(&mut self, now: Instant, inputs: impl IntoIterator<Item = Input>) -> Vec<Output> {
        self.io.now = self.io.now.max(now);
        for input in inputs {
            self.take(input);
        }
        while let Some(connection) = self.io.overdue() {
            self.lose(connection, true);
        }
        while let Some(timer) = self.io.due() {
            match timer {
                Timer::Look | Timer::Renew => {}
                Timer::Call(call) => self.call_overdue(call),
                Timer::Run(run) => self.run_overdue(run),
            }
        }
        self.move_on();
        self.io.take_outputs()
    }

    /// When the next [`Input::Tick`] is wanted at latest.
    #[must_use]
    pub fn next_timer(&self) -> Option<Instant> {
        self.io.next_timer()
    }

    /// What this node counts.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.io.counters
    }

    /// The current session, if there is one.
    #[must_use]
    pub fn boot(&self) -> Option<Boot> {
        self.session.boot()
    }

    /// The current session, and until when it may start calls if it hears nothing more.
    #[must_use]
    pub fn hold(&self) -> Option<(Boot, Instant)> {
        Some((self.session.member()?, self.session.hold_until()))
    }

    /// Whether calls of this action, if they wait for no other, go to another member first.
    #[must_use]
    pub fn is_elsewhere(&self, action: &ActionId) -> bool {
        let Some(view) = self.view() else { return false };
        let candidates = placement::candidates(view, Slot::of_action(action), self.profile.build);
        candidates.first().is_some_and(|first| self.boot() != Some(*first))
    }

    /// Who owns each slot, by the view that this node applies; nobody where all members leave.
    #[must_use]
    pub fn slot_owners(&self) -> Vec<Option<Boot>> {
        let members = self.view().into_iter().flat_map(|view| &view.members);
        let staying: Vec<Boot> =
            members.filter(|(_, member)| !member.draining).map(|(boot, _)| *boot).collect();
        Slot::all().map(|slot| placement::owner_of(slot, staying.iter().copied())).collect()
    }

    /// For how long the lease of another member has stood still, as far as this node has seen.
    #[must_use]
    pub fn lease_unmoved(&self, member: Boot, now: Instant) -> Option<Duration> {
        self.watch.unmoved(member, now)
    }

    /// The view that this node applies.
    #[must_use]
    pub fn view(&self) -> Option<&View> {
        self.views.current.as_deref()
    }

    /// The calls in the frame that is on its way to a session, for whoever times it.
    #[must_use]
    pub fn calls_in_flight(&self, to: Boot) -> &[CallId] {
        self.caller.courier.in_flight(to)
    }

    /// Whether nothing of any call is left here.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.caller.is_empty() && self.owner.is_empty() && self.post.is_empty() && self.transfers.is_empty()
    }

    /// What is left of calls here, for whoever looks for a mistake.
    #[must_use]
    pub fn leftovers(&self) -> String {
        let Self { caller, owner, post, transfers, .. } = self;
        format!("{caller:?}\n{owner:?}\n{post:?}\n{transfers:?}")
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Tick => {}
            Input::Connected(connection, incarnation) => self.connected(connection, &incarnation),
            Input::Disconnected(connection) => self.lose(connection, false),
            Input::Answered(request, answer) => {
                // One that is not awaited any more belongs to a connection that was closed.
                if let Some((purpose, asked)) = self.io.answered(request) {
                    if matches!(&answer, Err(Failure::Refused(_))) {
                        self.io.pause();
                    }
                    self.answered(purpose, asked, answer);
                }
            }
            Input::Submit(submission) => self.submit(*submission),
            Input::Cancel(call) => self.cancel(call),
            Input::Began(run) => self.run_began(run),
            Input::Ended(run, ended) => self.run_ended(run, ended),
            Input::Published(publication, position) => self.publication_done(publication, position),
            Input::Drain => self.drain(),
            Input::Write(transfer, bytes, end) => self.write(transfer, bytes, end),
            Input::Taken(transfer, chunks) => self.taken(transfer, chunks),
            Input::Stop(transfer) => self.stop(transfer),
        }
    }

    /// Whatever can go on, goes on.
    fn move_on(&mut self) {
        self.keep_session();
        self.place_calls();
        self.start_calls();
        self.adopt_orphans();
        self.delete_all_answered();
        self.drop_old_post();
        self.send_calls();
        self.send_post();
        self.write_down();
        self.evict_some();
        self.read();
    }

    /// A connection is gone, or is closed: nothing is known of what was asked on it.
    fn lose(&mut self, connection: Connection, close: bool) {
        let asked = if close { self.io.disconnect(connection) } else { self.io.lost(connection) };
        for (purpose, at) in asked {
            self.answered(purpose, at, Err(Failure::Silent));
        }
    }

    fn answered(&mut self, purpose: Purpose, asked: Instant, answer: Result<Answer, Failure>) {
        match (purpose, answer) {
            (Purpose::OpenInbox(boot), Ok(Answer::Opened(opened))) => self.inbox_opened(boot, Some(opened)),
            (Purpose::OpenInbox(boot), Err(_)) => self.inbox_opened(boot, None),
            (Purpose::Join(boot), Ok(Answer::Joined { view, time })) => {
                self.joined(boot, view, RedisClock::new(time, asked, self.io.now));
            }
            (Purpose::Join(boot) | Purpose::Renew(boot), Ok(Answer::Fenced | Answer::Stale)) => {
                self.session_fenced(boot);
            }
            (Purpose::Join(boot), Ok(Answer::KeysDisagree(ids))) => self.join_refused(boot, ids),
            (Purpose::Join(boot), Err(_)) => self.join_failed(boot),
            (Purpose::Restore(boot), answer) => self.restored(boot, answer.is_ok()),
            (Purpose::Renew(boot), Ok(Answer::Renewed(renewal))) => self.renewed(boot, asked, Ok(renewal)),
            (Purpose::Renew(boot), Err(failure)) => self.renewed(boot, asked, Err(failure)),
            (Purpose::Leases(boots), Ok(Answer::Leases(counters))) => self.leases_seen(&boots, &counters),
            (Purpose::View, Ok(Answer::View(view))) => self.view_read(view),
            (Purpose::View, Err(_)) => self.view_failed(),
            (Purpose::AckView, answer) => self.acked(answer.is_ok()),
            (Purpose::Drain, answer) => {
                self.drained();
                if let Ok(Answer::View(view)) = answer {
                    self.view_seen(view);
                }
            }
            (Purpose::Leave, answer) => self.left(answer == Ok(Answer::Left(true))),
            (Purpose::Open, answer) => {
                self.opened();
                if let Ok(Answer::View(view)) = answer {
                    self.view_seen(view);
                }
            }
            (Purpose::Fence(boot), Ok(Answer::Orphan(Some(orphan)))) => {
                self.fenced(boot, true);
                self.answer_orphan(boot, &orphan);
                self.answer_orphan(boot, &store::Orphan::default());
            }
            (Purpose::Fence(boot), answer) => self.fenced(boot, answer == Ok(Answer::Fencing(true))),
            (Purpose::Evict, Ok(Answer::View(view))) => self.view_seen(view),
            (Purpose::Orphan(boot), Ok(Answer::Orphan(orphan))) => self.orphan_read(boot, Ok(orphan)),
            (Purpose::Orphan(boot), _) => self.orphan_read(boot, Err(())),
            (Purpose::OrphanDone(boot), answer) => self.orphan_deleted(boot, answer.is_ok()),
            (
                purpose @ (Purpose::Send(..)
                | Purpose::ReadRequests(_)
                | Purpose::ReadClaimed(_)
                | Purpose::ReadReplies(_)
                | Purpose::Settle(..)
                | Purpose::Begin(_)
                | Purpose::Finish(_)),
                answer,
            ) => self.answered_of_calls(purpose, answer),
            (Purpose::Abandon(command), Err(_)) => self.abandon_failed(*command),
            // Asked again by whoever still needs it.
            (
                Purpose::OpenInbox(_)
                | Purpose::Join(_)
                | Purpose::Renew(_)
                | Purpose::Leases(_)
                | Purpose::View
                | Purpose::Evict
                | Purpose::Resolve
                | Purpose::Abandon(_)
                | Purpose::Trim,
                _,
            ) => {}
        }
    }

    /// What came of a command that carries calls and answers.
    fn answered_of_calls(&mut self, purpose: Purpose, answer: Result<Answer, Failure>) {
        match (purpose, answer) {
            (Purpose::Send(to, stream), answer) => {
                let sent: Result<Sent, Failure> = match answer {
                    Ok(Answer::Sent(sent)) => Ok(sent),
                    Ok(_) => Err(Failure::Silent),
                    Err(failure) => Err(failure),
                };
                match stream {
                    Stream::Requests => self.calls_sent(to, &sent),
                    Stream::Replies => self.post_sent(to, &sent),
                }
            }
            (Purpose::ReadRequests(boot), answer) => match answer {
                Ok(Answer::Frames(frames)) => self.requests_read(boot, Some(frames)),
                Ok(_) => self.session_fenced(boot),
                Err(_) => self.requests_read(boot, None),
            },
            (Purpose::ReadClaimed(boot), answer) => match answer {
                Ok(Answer::Frames(frames)) => self.claimed_read(boot, Some(frames)),
                Ok(_) => self.session_fenced(boot),
                Err(_) => self.claimed_read(boot, None),
            },
            (Purpose::ReadReplies(boot), answer) => match answer {
                Ok(Answer::Frames(frames)) => self.replies_read(boot, Some(frames)),
                Ok(_) => self.session_fenced(boot),
                Err(_) => self.replies_read(boot, None),
            },
            (Purpose::Settle(boot, entries), answer) => self.settled(boot, entries, answer.is_ok()),
            (Purpose::Begin(run), Ok(Answer::Idempotency(verdict))) => self.begun(run, verdict),
            (Purpose::Begin(run), _) => self.begin_failed(run),
            (Purpose::Finish(run), Ok(_)) => self.finished(run),
            (Purpose::Finish(run), Err(_)) => self.finish_failed(run),
            _ => {}
        }
    }
}
