//! Frames between nodes. The bytes are a frame as they are, and then what stands in one, behind a prefix that fits.

use bytes::Bytes;
use callboard_protocol::{
    ActionId,
    action::{CallId, Effects, Fallback, Redirect, RedirectKind},
    action_id::InfoByte,
    carried::{CarriedHead, CarriedOutcome, CarriedPrincipal, Framing, OutcomeKind, RowsPiece},
    envelope::{
        Answer, Cancel, Chunk, Credit, Direction, Envelope, Frame, FrameError, Idempotency, Message,
        Namespace, Reply, Route, TransferEnd, TransferId, VERSION, Verdict,
    },
    identity::{Incarnation, ProcessId, RedisMillis, ViewVersion},
    revalidation::LogPosition,
};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::checks;

const CLUSTER: &str = "fuzz";

/// Bytes before the first section: version, namespace, checksum.
pub(crate) const PREFIX_BYTES: usize = 18;

/// Reads them as a frame, as the sections of one, and as what stands in its context and its outcome.
pub fn run(bytes: &[u8]) {
    carried(&Bytes::copy_from_slice(bytes));
    let namespace = Namespace::named(CLUSTER);
    // A fuzzer does not find a checksum: what is read as it stands was written by the seeds.
    let _ = Frame::decode(&Bytes::copy_from_slice(bytes), namespace);

    let sealed = seal(CLUSTER, VERSION, bytes);
    let frame = match Frame::decode(&sealed, namespace) {
        Ok(frame) => frame,
        Err(error @ (FrameError::Truncated | FrameError::Section { .. } | FrameError::Shape)) => {
            return checks::short(&error);
        }
        Err(error) => panic!("the prefix fits, and yet: {error}"),
    };
    let payload: usize = frame.messages.iter().map(Message::payload_bytes).sum();
    assert!(payload <= bytes.len(), "{payload} bytes of payload in {}", bytes.len());
    let written = frame.encode(namespace);
    let again = Frame::decode(&written, namespace);
    assert_eq!(again.as_ref(), Ok(&frame), "what was written is read as something else");

    let mut changed = written.to_vec();
    let at = bytes.iter().fold(0_usize, |at, byte| at.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    let at = at % changed.len();
    changed[at] ^= 1 << (at % 8);
    let changed = Frame::decode(&changed.into(), namespace);
    assert!(changed.is_err(), "a change of byte {at} is not noticed");
}

fn carried(bytes: &Bytes) {
    match CarriedHead::decode(bytes) {
        Ok(head) => {
            let again = head.encode().map(|bytes| CarriedHead::decode(&bytes));
            assert!(again.is_none_or(|again| again == Ok(head)), "a head is read as another");
        }
        Err(error) => checks::short(&error),
    }
    match CarriedOutcome::decode(bytes) {
        Ok(outcome) => {
            let again = outcome.encode().map(|bytes| CarriedOutcome::decode(&bytes));
            assert!(again.is_none_or(|again| again == Ok(outcome)), "an outcome is read as another");
        }
        Err(error) => checks::short(&error),
    }
    if let Ok(piece) = RowsPiece::decode(bytes) {
        assert_eq!(piece.encode(), *bytes, "a piece of rows is written as another");
    }
}

/// Sections as a frame of a cluster, with a checksum that fits.
#[must_use]
pub fn seal(cluster: &str, version: (u8, u8), sections: &[u8]) -> Bytes {
    let namespace = xxh3_64(cluster.as_bytes());
    let (major, minor) = version;
    let seed = namespace ^ u64::from(u16::from_le_bytes([major, minor]));
    let mut bytes = vec![major, minor];
    bytes.extend(namespace.to_le_bytes());
    bytes.extend(xxh3_64_with_seed(sections, seed).to_le_bytes());
    bytes.extend(sections);
    bytes.into()
}

/// A frame of each kind of message, with a name each.
#[must_use]
pub fn samples() -> Vec<(&'static str, Frame)> {
    let outcome = TransferId { call: call(), attempt: 1, direction: Direction::Outcome };
    let arguments = TransferId { call: call(), attempt: 3, direction: Direction::Arguments };
    let chunk = |number, end, bytes| Message::Chunk(Chunk { transfer: outcome, number, end, bytes });
    let messages = [
        ("request", vec![Message::Request(full_request())]),
        ("request-plain", vec![Message::Request(plain_request())]),
        ("reply", vec![reply(Answer::Done, Some(LogPosition::from_u64(5)), "0:[\"$@1\"]\n")]),
        ("reply-unknown", vec![reply(Answer::Unknown, None, "")]),
        ("chunk", vec![chunk(0, None, Bytes::from_static(b"bytes"))]),
        ("chunk-last", vec![chunk(300, Some(TransferEnd::Broken), Bytes::new())]),
        ("credit", vec![Message::Credit(Credit { transfer: arguments, taken: 4, stop: false })]),
        ("cancel", vec![Message::Cancel(Cancel { call: call(), attempt: 2 })]),
        (
            "several",
            vec![
                reply(Answer::Moved, None, ""),
                Message::Cancel(Cancel { call: call(), attempt: 1 }),
                chunk(1, Some(TransferEnd::Complete), Bytes::from_static(b"end")),
            ],
        ),
        ("empty", Vec::new()),
    ];
    let frame = |messages| Frame {
        sender: ProcessId::from_u128(0x5e0d),
        number: 7,
        incarnation: Incarnation::named("run.replication"),
        messages,
    };
    messages.map(|(name, messages)| (name, frame(messages))).into()
}

fn call() -> CallId {
    CallId::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)
}

fn full_request() -> Envelope {
    let route = Route {
        call: call(),
        attempt: 2,
        caller: ProcessId::from_u128(0xca11),
        action: ActionId::derive(b"salt", "envelope", InfoByte::for_arguments(2)),
        build: 0xb01d,
        slot: 1023,
        key: Some("room 1".to_owned()),
        idempotency: Some(Idempotency { key: 0x1de, digest: 0xd19, retention_s: 86_400 }),
        idempotent: true,
        deadline: RedisMillis::from_u64(1_767_225_600_000),
        view: ViewVersion::from_u64(1_767_225_590_000),
        revalidates: vec!["posts".to_owned(), "/".to_owned()],
        arguments_follow: true,
    };
    Envelope { route, context: Bytes::from_static(b"context"), arguments: Bytes::from_static(b"[1,2]") }
}

fn plain_request() -> Envelope {
    let mut plain = full_request();
    plain.route.key = None;
    plain.route.idempotency = None;
    plain.route.idempotent = false;
    plain.route.revalidates.clear();
    plain.route.arguments_follow = false;
    Envelope { context: Bytes::new(), ..plain }
}

fn reply(answer: Answer, position: Option<LogPosition>, outcome: &'static str) -> Message {
    let verdict = Verdict {
        call: call(),
        attempt: 1,
        caller: ProcessId::from_u128(0xca11),
        answerer: ProcessId::from_u128(0xbee),
        deadline: RedisMillis::from_u64(1_700_000_000_000),
        answer,
        view: ViewVersion::from_u64(12),
        incarnation: Incarnation::named("run.replication"),
        position,
        rest: position.is_some(),
    };
    Message::Reply(Reply { verdict, outcome: Bytes::from_static(outcome.as_bytes()) })
}

/// What stands in a context and in an outcome.
#[must_use]
pub fn carried_samples() -> Vec<Vec<u8>> {
    let principal = CarriedPrincipal { id: "7".into(), claims: vec![("name".into(), "Ada".into())] };
    let head = CarriedHead {
        reference: "7f".repeat(38),
        principal: Some(principal),
        path: "/book".into(),
        query: "page=2".into(),
        headers: vec![("accept".into(), b"text/x-component".to_vec())],
        timeout_ms: 30_000,
        framing: Framing::Multipart("boundary".into()),
    };
    let outcome = CarriedOutcome {
        kind: OutcomeKind::Value,
        bytes: Bytes::from_static(b"1:[1,2]\n"),
        effects: Effects {
            redirect: Some(Redirect { url: "/".into(), kind: RedirectKind::Push }),
            cookies: vec!["a=b; Path=/".into()],
            refresh: true,
            fallback: Some(Fallback::NotFound),
            ..Effects::default()
        },
        body_kept: true,
    };
    [head.encode(), outcome.encode()].into_iter().flatten().map(|bytes| bytes.to_vec()).collect()
}
