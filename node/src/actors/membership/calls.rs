//! The calls of this node's clients, from their submission to their answer.

use std::time::Duration;

use actix::{AsyncContext as _, Context, Handler};
use callboard_cluster::{
    clock::Instant,
    core::{Answered, Input, Start},
};
use callboard_protocol::{
    action::{CallError, CallId, Settled},
    carried::CarriedOutcome,
    envelope::Answer,
};

use super::{Membership, Submit};
use crate::{
    actors::{Published, Replayed, Reply, Rows, Settlement, Tell as _, placed::RunPlaced},
    call::Call,
    carry::{CarriedRows, Shipment},
    clock,
};

/// A call whose client waits at this node.
pub(super) struct Waiting {
    /// Until it starts here.
    pub(super) call: Option<Call>,
    pub(super) shipment: Option<Shipment>,
    /// Attempts whose arguments were sent, or are.
    pub(super) sent: Vec<u32>,
    reply: Reply,
    /// When it came.
    pub(super) since: Instant,
    timeout: Duration,
    keyed: bool,
    /// What it ended in, if it ran here, until it is answered.
    pub(super) settled: Option<Settlement>,
    /// Which limit kept it from starting here.
    pub(super) full: Option<(&'static str, usize)>,
}

impl Handler<Submit> for Membership {
    type Result = ();

    fn handle(&mut self, submit: Submit, context: &mut Self::Context) {
        let Submit { submission, mut call, shipment, reply } = submit;
        // Not before: what is told to leave then has it already.
        call.in_flight.has_arrived();
        if self.leaves() {
            // A closed channel is a client that went away.
            drop(reply.send(Err(CallError::Draining)));
            return;
        }
        let waiting = Waiting {
            since: clock::core_now(),
            timeout: call.info.timeout,
            keyed: submission.key.is_some(),
            call: Some(call),
            shipment,
            sent: Vec::new(),
            reply,
            settled: None,
            full: None,
        };
        self.calls.insert(submission.call, waiting);
        self.feed(Input::Submit(submission), context);
    }
}

impl Membership {
    /// Starts a call of this node's clients, or one of another node's, on one of the workers.
    pub(super) fn start(&mut self, start: Box<Start>, context: &mut Context<Self>) {
        let Some(node) = self.node.clone() else { return };
        let mut call = None;
        if start.local {
            call = self.calls.get_mut(&start.call).and_then(|waiting| waiting.call.take());
            if call.is_none() {
                // Its client was answered a moment ago: it did not start, and never will.
                return self.not_started(start.run, Answer::Expired, context);
            }
        }
        let cancellation = match &call {
            Some(call) => std::sync::Arc::clone(&call.info.cancellation),
            None => std::sync::Arc::default(),
        };
        self.runs.insert(start.run, std::sync::Arc::clone(&cancellation));
        let chunks = (start.arguments_follow && !start.local).then(|| self.arguments_of(&start, context));
        let worker = match &start.key {
            Some(key) => callboard_cluster::Slot::of_key(&start.action, key).index(),
            None => {
                self.next_worker = self.next_worker.wrapping_add(1);
                self.next_worker
            }
        };
        let placed = RunPlaced {
            boot: self.core.boot(),
            start,
            call,
            chunks,
            cancellation,
            node,
            membership: context.address(),
        };
        self.workers[worker % self.workers.len()].tell(placed);
    }

    /// Answers a client.
    pub(super) fn answer(&mut self, answered: &Answered, context: &mut Context<Self>) {
        let Some(waiting) = self.calls.remove(&answered.call) else { return };
        let answer = match answered.answer {
            Answer::Done | Answer::Failed | Answer::Replayed => match (answered.run, waiting.settled) {
                (Some(_), Some(settlement)) if answered.answer != Answer::Replayed => {
                    let published = Published::of(answered.position);
                    Ok(Settlement { published, ..settlement })
                }
                _ => self.carried(answered, context),
            },
            Answer::Busy => Err(match waiting.full {
                Some((what, limit)) => CallError::Overloaded { what, limit },
                None if waiting.keyed && self.is_alone() => CallError::Overloaded {
                    what: "key_queue_max",
                    limit: self.node.as_ref().map_or(0, |node| node.settings.key_queue_max),
                },
                None => CallError::NoRoom,
            }),
            Answer::Expired => Err(CallError::Expired),
            Answer::Moved => Err(CallError::Moved),
            Answer::Conflict => Err(CallError::Conflict),
            // It was started here and still runs.
            Answer::Unknown if waiting.call.is_none() => {
                Err(CallError::DeadlineExceeded { timeout: waiting.timeout })
            }
            Answer::Unknown => Err(CallError::OutcomeUnknown),
        };
        // A closed channel is a client that went away; it is owed nothing.
        drop(waiting.reply.send(answer));
    }

    /// The settlement of a call that ran on another node, or of an earlier one with its idempotency key.
    fn carried(&mut self, answered: &Answered, context: &mut Context<Self>) -> Result<Settlement, CallError> {
        let chunks = answered.rest.map(|transfer| self.rows_of(transfer, context));
        let outcome = CarriedOutcome::decode(&answered.outcome).map_err(|_| CallError::OutcomeUnknown)?;
        let replayed = (answered.answer == Answer::Replayed).then_some(if outcome.body_kept {
            Replayed::Whole
        } else {
            Replayed::BodyNotKept
        });
        let mut outcome = outcome.into_outcome();
        let mut rest = None;
        if let (Settled::Value(answer), Some(chunks)) = (&mut outcome.settled, chunks) {
            let (head, rows) = CarriedRows::after(&answer.head, chunks).ok_or(CallError::OutcomeUnknown)?;
            answer.head = head;
            rest = Some(Rows::Carried(rows));
        }
        let published = Published::of(answered.position);
        Ok(Settlement { outcome, published, replayed, rest })
    }

    /// Whether a client of this node waits for a call.
    pub(super) fn waiting(&mut self, call: CallId) -> Option<&mut Waiting> {
        self.calls.get_mut(&call)
    }
}
