//! What nodes of one cluster tell each other. How it stands in a frame is for [`envelope`](crate::envelope).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    ActionId,
    action::CallId,
    identity::{Incarnation, ProcessId, RedisMillis, ViewVersion},
    list,
    revalidation::LogPosition,
};

/// One thing that a process tells another.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Run this.
    Request(Envelope),
    /// What came of it.
    Reply(Reply),
    /// Bytes of a call that did not fit its frame, or were not there yet.
    Chunk(Chunk),
    /// How far the reader of a transfer is.
    Credit(Credit),
    /// Nobody waits for the call any more.
    Cancel(Cancel),
}

/// A call on its way to the node that runs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// What a router needs.
    pub route: Route,
    /// For the action and its log: principal, headers, trace context. Opaque here.
    pub context: Bytes,
    /// The encoded arguments, or how they begin.
    pub arguments: Bytes,
}

/// Everything of a call that decides where, when and whether it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// Which call.
    #[serde(with = "call_id")]
    pub call: CallId,
    /// Which try at it; every reply names its own.
    pub attempt: u32,
    /// Who waits.
    pub caller: ProcessId,
    /// What is called.
    #[serde(with = "action_id")]
    pub action: ActionId,
    /// The build whose action is meant.
    pub build: u128,
    /// The bucket it is in.
    pub slot: u16,
    /// The line it waits in, empty for `serial`; `None` where it waits for no other.
    pub key: Option<String>,
    /// Set if the client says which calls are one.
    pub idempotency: Option<Idempotency>,
    /// Whether running it twice is the same as once.
    pub idempotent: bool,
    /// Never started at or after this instant.
    pub deadline: RedisMillis,
    /// The sender's view.
    pub view: ViewVersion,
    /// Tags that are stale after every run of it, for whoever has to speak for a node that died.
    #[serde(with = "list")]
    pub revalidates: Vec<String>,
    /// Whether chunks of arguments follow.
    pub arguments_follow: bool,
}

/// The client's word that two calls are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Idempotency {
    /// Hash of action, principal and key, or nonce.
    pub key: u128,
    /// Hash of the body: the same key with another body is a mistake of the client. Of a form, where it is none, the
    /// body is part of `key`, and this is the same.
    pub digest: u128,
    /// How long the outcome is kept for it, in seconds.
    pub retention_s: u32,
}

/// What came of one attempt at a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The small part.
    pub verdict: Verdict,
    /// Of `done` and `failed`: what the front end answers with. Opaque here.
    pub outcome: Bytes,
}

/// The small part of a reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Which call.
    #[serde(with = "call_id")]
    pub call: CallId,
    /// Which try at it.
    pub attempt: u32,
    /// Who waits.
    pub caller: ProcessId,
    /// Who says so, and has more of the outcome if more follows. Whoever carries it on leaves this as it is.
    pub answerer: ProcessId,
    /// Until when somebody waits.
    pub deadline: RedisMillis,
    /// What is known.
    pub answer: Answer,
    /// The view of whoever says so: a moved call waits until its caller's is as new.
    pub view: ViewVersion,
    /// The memory of Redis that this view is of.
    pub incarnation: Incarnation,
    /// Where its revalidations stand, if there are any.
    #[serde(with = "log_position")]
    pub position: Option<LogPosition>,
    /// Whether more of the outcome follows in chunks.
    pub rest: bool,
}

/// What is known of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Answer {
    /// It ran, and this is its outcome.
    Done,
    /// It ran, and the action's own error is its outcome.
    Failed,
    /// An earlier call with its idempotency key ran, and this is that call's outcome.
    Replayed,
    /// Definitely not run: no room.
    Busy,
    /// Definitely not run: its deadline passed.
    Expired,
    /// Definitely not run: it belongs elsewhere by now.
    Moved,
    /// Definitely not run: its idempotency key came with another body.
    Conflict,
    /// It may have run.
    Unknown,
}

impl Answer {
    /// Whether it says that the attempt has not started and never will.
    #[must_use]
    pub const fn is_not_run(self) -> bool {
        matches!(self, Self::Busy | Self::Expired | Self::Moved | Self::Conflict)
    }
}

/// One direction of one attempt at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TransferId {
    /// Which call.
    #[serde(with = "call_id")]
    pub call: CallId,
    /// Which try at it.
    pub attempt: u32,
    /// Which way.
    pub direction: Direction,
}

/// Which way the bytes of a transfer go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Direction {
    /// From the caller to the node that runs the call.
    Arguments,
    /// From the node that runs the call to the caller.
    Outcome,
}

/// A piece of a transfer.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Of which.
    pub transfer: TransferId,
    /// 0, 1, 2 … The reader takes each once, in order.
    pub number: u64,
    /// Set on the last one.
    pub end: Option<TransferEnd>,
    /// The bytes; maybe none.
    pub bytes: Bytes,
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TransferEnd {
    /// This is all.
    Complete,
    /// There is more, and it will never come.
    Broken,
}

/// How far the reader of a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// Of which.
    pub transfer: TransferId,
    /// How many chunks it has taken and done with.
    pub taken: u64,
    /// It takes no more.
    pub stop: bool,
}

/// Nobody waits for the call any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// Which call.
    #[serde(with = "call_id")]
    pub call: CallId,
    /// Which try at it.
    pub attempt: u32,
}

mod call_id {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::action::CallId;

    pub(super) fn serialize<S: Serializer>(id: &CallId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u128(id.as_u128())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<CallId, D::Error> {
        u128::deserialize(deserializer).map(CallId::from_u128)
    }
}

mod action_id {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    use crate::ActionId;

    pub(super) fn serialize<S: Serializer>(id: &ActionId, serializer: S) -> Result<S::Ok, S::Error> {
        id.as_bytes().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ActionId, D::Error> {
        <[u8; ActionId::BYTES]>::deserialize(deserializer)
            .and_then(|bytes| ActionId::from_bytes(bytes).map_err(D::Error::custom))
    }
}

mod log_position {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::revalidation::LogPosition;

    #[expect(clippy::ref_option, reason = "as serde calls it")]
    pub(super) fn serialize<S: Serializer>(
        position: &Option<LogPosition>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        position.map(LogPosition::as_u64).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<LogPosition>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(LogPosition::from_u64))
    }
}
