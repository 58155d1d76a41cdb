//! What holds for every frame between nodes: the way there and back, and what is refused.

use bytes::Bytes;
use callboard_protocol::{
    ActionId,
    action::CallId,
    envelope::{
        Answer, Cancel, Chunk, Credit, Direction, Envelope, Frame, FrameError, Idempotency, Message,
        Namespace, Reply, Route, TransferEnd, TransferId, VERSION, Verdict,
    },
    identity::{Incarnation, ProcessId, RedisMillis, ViewVersion},
    revalidation::LogPosition,
};
use proptest::prelude::*;

use crate::fuzz::envelope::{samples, seal};

const CLUSTER: &str = "here";
const PREFIX_BYTES: usize = 18;

/// Numbers as they stand in frames: 1 to 6 are sections of a frame, 16 to 18 those of a message.
const HEADER: u8 = 1;
const REPLY: u8 = 3;
const CANCEL: u8 = 6;
const FIELDS: u8 = 16;
const BYTES: u8 = 18;

fn here() -> Namespace {
    Namespace::named(CLUSTER)
}

fn read(sections: &[u8]) -> Result<Frame, FrameError> {
    Frame::decode(&seal(CLUSTER, VERSION, sections), here())
}

fn section(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind][..], &(content.len() as u32).to_le_bytes(), content].concat()
}

/// A frame's sections, each with its kind and content.
fn sections(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut sections = Vec::new();
    while let Some((&[kind, a, b, c, d], rest)) = bytes.split_first_chunk() {
        let (content, rest) = rest.split_at(u32::from_le_bytes([a, b, c, d]) as usize);
        sections.push((kind, content.to_vec()));
        bytes = rest;
    }
    sections
}

fn joined(sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    sections.iter().flat_map(|(kind, content)| section(*kind, content)).collect()
}

fn written(frame: &Frame) -> Vec<(u8, Vec<u8>)> {
    sections(&frame.encode(here())[PREFIX_BYTES..])
}

fn sample(name: &str) -> Frame {
    samples().into_iter().find(|(sample, _)| *sample == name).expect("there is one").1
}

// --- Any frame -------------------------------------------------------------------------------------------------------

fn any_bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..80).prop_map(Bytes::from)
}

/// Small and large: the integers have several lengths.
fn any_u64() -> impl Strategy<Value = u64> {
    prop_oneof![0..300_u64, any::<u64>()]
}

fn any_call() -> impl Strategy<Value = CallId> {
    any::<u128>().prop_map(CallId::from_u128)
}

fn any_process() -> impl Strategy<Value = ProcessId> {
    any::<u128>().prop_map(ProcessId::from_u128)
}

fn any_incarnation() -> impl Strategy<Value = Incarnation> {
    ".{0,12}".prop_map(|name| Incarnation::named(&name))
}

fn any_transfer() -> impl Strategy<Value = TransferId> {
    let direction = prop_oneof![Just(Direction::Arguments), Just(Direction::Outcome)];
    (any_call(), any::<u32>(), direction).prop_map(|(call, attempt, direction)| TransferId {
        call,
        attempt,
        direction,
    })
}

prop_compose! {
    fn any_route()(
        (call, attempt, caller) in (any_call(), any::<u32>(), any_process()),
        location in "[a-z]{1,8}",
        (build, slot, key) in (any::<u128>(), any::<u16>(), prop::option::of(".{0,12}")),
        idempotency in prop::option::of((any::<u128>(), any::<u128>())),
        (idempotent, arguments_follow) in any::<(bool, bool)>(),
        (deadline, view) in (any_u64(), any_u64()),
        revalidates in prop::collection::vec(".{0,6}", 0..4),
    ) -> Route {
        Route {
            call,
            attempt,
            caller,
            action: ActionId::derive(b"salt", &location, callboard_protocol::action_id::InfoByte::ALL),
            build,
            slot,
            key,
            idempotency: idempotency.map(|(key, digest)| Idempotency { key, digest, retention_s: digest as u32 }),
            idempotent,
            deadline: RedisMillis::from_u64(deadline),
            view: ViewVersion::from_u64(view),
            revalidates,
            arguments_follow,
        }
    }
}

prop_compose! {
    fn any_verdict()(
        (call, attempt, caller, answerer) in (any_call(), any::<u32>(), any_process(), any_process()),
        deadline in any_u64(),
        answer in prop::sample::select(vec![
            Answer::Done, Answer::Failed, Answer::Replayed, Answer::Busy, Answer::Expired, Answer::Moved,
            Answer::Conflict, Answer::Unknown,
        ]),
        (view, incarnation) in (any_u64(), any_incarnation()),
        (position, rest) in (prop::option::of(any_u64()), any::<bool>()),
    ) -> Verdict {
        Verdict {
            call,
            attempt,
            caller,
            answerer,
            deadline: RedisMillis::from_u64(deadline),
            answer,
            view: ViewVersion::from_u64(view),
            incarnation,
            position: position.map(LogPosition::from_u64),
            rest,
        }
    }
}

fn any_message() -> impl Strategy<Value = Message> {
    let end = prop::option::of(prop_oneof![Just(TransferEnd::Complete), Just(TransferEnd::Broken)]);
    prop_oneof![
        (any_route(), any_bytes(), any_bytes())
            .prop_map(|(route, context, arguments)| Message::Request(Envelope { route, context, arguments })),
        (any_verdict(), any_bytes())
            .prop_map(|(verdict, outcome)| Message::Reply(Reply { verdict, outcome })),
        (any_transfer(), any_u64(), end, any_bytes()).prop_map(|(transfer, number, end, bytes)| {
            Message::Chunk(Chunk { transfer, number, end, bytes })
        }),
        (any_transfer(), any_u64(), any::<bool>())
            .prop_map(|(transfer, taken, stop)| Message::Credit(Credit { transfer, taken, stop })),
        (any_call(), any::<u32>()).prop_map(|(call, attempt)| Message::Cancel(Cancel { call, attempt })),
    ]
}

prop_compose! {
    fn any_frame()(
        (sender, number) in (any_process(), any_u64()),
        incarnation in any_incarnation(),
        messages in prop::collection::vec(any_message(), 0..6),
    ) -> Frame {
        Frame { sender, number, incarnation, messages }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(frame in any_frame()) {
        let bytes = frame.encode(here());
        prop_assert_eq!(Frame::decode(&bytes, here()), Ok(frame));
        prop_assert_eq!(Frame::decode(&bytes, Namespace::named("there")), Err(FrameError::Namespace));
    }

    /// A change of any byte is refused as it stands; behind a checksum that fits, it is read or refused.
    #[test]
    fn a_changed_byte_is_noticed(frame in any_frame(), at in any::<prop::sample::Index>(), with in 1..=255_u8) {
        let mut bytes = frame.encode(here()).to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= with;
        prop_assert!(Frame::decode(&bytes.clone().into(), here()).is_err(), "byte {}", at);
        let _ = read(&bytes[PREFIX_BYTES..]);
    }

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Frame::decode(&bytes.clone().into(), here()).is_err());
        let _ = read(&bytes);
    }

    /// A newer minor version may add sections, anywhere among those of a frame and of a message.
    #[test]
    fn sections_that_are_not_known_are_passed_over(
        frame in any_frame(),
        kind in 19..=255_u8,
        content in prop::collection::vec(any::<u8>(), 0..40),
        at in any::<prop::sample::Index>(),
        newer in 0..=255_u8,
    ) {
        let mut all = written(&frame);
        // Messages whose content is sections: 2 to 4.
        for (outer, inner) in &mut all {
            if (2..=4).contains(outer) {
                let mut parts = sections(inner);
                parts.insert(at.index(parts.len() + 1), (kind, content.clone()));
                *inner = joined(&parts);
            }
        }
        all.insert(at.index(all.len() + 1), (kind, content));
        let newer = seal(CLUSTER, (VERSION.0, newer), &joined(&all));
        prop_assert_eq!(Frame::decode(&newer, here()), Ok(frame));
    }
}

// --- One frame of each kind --------------------------------------------------------------------------------------------

#[test]
fn every_truncation_is_refused() {
    for (name, frame) in samples() {
        let bytes = frame.encode(here());
        for length in 0..bytes.len() {
            assert!(Frame::decode(&bytes.slice(..length), here()).is_err(), "{name}: {length} bytes");
            // Behind a checksum that fits, what is left may be a frame of fewer messages, and nothing else.
            if let Some(body) = bytes.get(PREFIX_BYTES..length)
                && let Ok(less) = read(body)
            {
                assert!(frame.messages.starts_with(&less.messages), "{name}: {length} bytes");
                assert!(less.messages.len() < frame.messages.len(), "{name}: {length} bytes");
            }
        }
    }
}

#[test]
fn every_change_of_a_byte_is_refused() {
    for (name, frame) in samples() {
        let bytes = frame.encode(here());
        for at in 0..bytes.len() {
            for with in [1, 2, 0x10, 0x80, 0xff] {
                let mut changed = bytes.to_vec();
                changed[at] ^= with;
                let body = changed[PREFIX_BYTES..].to_vec();
                assert!(Frame::decode(&changed.into(), here()).is_err(), "{name}: byte {at} by {with}");
                if at >= PREFIX_BYTES {
                    let _ = read(&body);
                }
            }
        }
    }
}

#[test]
fn an_empty_text_and_other_texts_are_no_frames() {
    for (bytes, error) in [
        (&b""[..], FrameError::Truncated),
        (&[1], FrameError::Truncated),
        (&[1, 0, 0], FrameError::Truncated),
        (b"GET / HTTP/1.1\r\n\r\n", FrameError::Version { major: b'G', minor: b'E' }),
    ] {
        assert_eq!(Frame::decode(&Bytes::copy_from_slice(bytes), here()), Err(error));
    }
}

#[test]
fn another_major_version_is_refused_by_its_number() {
    let body = joined(&written(&sample("request")));
    for version in [(0, 9), (2, 0), (255, 255)] {
        let error = Frame::decode(&seal(CLUSTER, version, &body), here()).expect_err("another version");
        assert_eq!(error, FrameError::Version { major: version.0, minor: version.1 });
        let text = error.to_string();
        assert!(text.contains(&format!("{}.{}", version.0, version.1)), "{text}");
    }
}

#[test]
fn fields_end_where_their_section_ends() {
    for (name, frame) in samples() {
        let original = written(&frame);
        for at in 0..original.len() {
            let mut longer = original.clone();
            let (kind, content) = &mut longer[at];
            if (2..=4).contains(kind) {
                let mut parts = sections(content);
                let fields = parts.iter_mut().find(|(kind, _)| *kind == FIELDS).expect("there are fields");
                fields.1.push(0);
                *content = joined(&parts);
            } else {
                content.push(0);
            }
            let kind = *kind;
            assert_eq!(read(&joined(&longer)), Err(FrameError::Section { kind }), "{name}");
        }
    }
}

#[test]
fn what_is_known_stands_once() {
    let frame = sample("reply");
    let mut all = written(&frame);
    let header = all[0].clone();
    assert_eq!(header.0, HEADER);
    all.push(header.clone());
    assert_eq!(read(&joined(&all)), Err(FrameError::Shape), "two headers");
    assert_eq!(read(&joined(&all[1..2])), Err(FrameError::Shape), "no header");

    for twice in [FIELDS, BYTES] {
        let mut all = written(&frame);
        let mut parts = sections(&all[1].1);
        parts.push(parts.iter().find(|(kind, _)| *kind == twice).expect("there is one").clone());
        all[1].1 = joined(&parts);
        assert_eq!(read(&joined(&all)), Err(FrameError::Section { kind: REPLY }), "section {twice}");
    }
    let fieldless = [header, (REPLY, section(BYTES, b"outcome"))];
    assert_eq!(read(&joined(&fieldless)), Err(FrameError::Section { kind: REPLY }));
}

#[test]
fn a_frame_has_at_most_4096_messages() {
    let mut frame = sample("cancel");
    let cancel = frame.messages[0].clone();
    frame.messages = vec![cancel.clone(); 4096];
    assert_eq!(Frame::decode(&frame.encode(here()), here()).as_ref(), Ok(&frame));
    frame.messages.push(cancel);
    assert_eq!(Frame::decode(&frame.encode(here()), here()), Err(FrameError::Shape));
}

#[test]
fn fields_have_at_most_64_kib_and_payloads_have_no_limit() {
    let of = |key: String| {
        let mut frame = sample("request");
        let Message::Request(envelope) = &mut frame.messages[0] else { unreachable!("a request") };
        envelope.route.key = Some(key);
        envelope.arguments = vec![7; 1 << 20].into();
        frame
    };
    let fits = of("k".repeat(65_000));
    assert_eq!(Frame::decode(&fits.encode(here()), here()).as_ref(), Ok(&fits));
    let wide = of("k".repeat(65_600));
    assert_eq!(Frame::decode(&wide.encode(here()), here()), Err(FrameError::Section { kind: 2 }));
}

/// Integers may be written longer than they need to be: they are read, and so nothing is ever signed or compared by a
/// frame's bytes.
#[test]
fn an_integer_in_a_longer_form_is_the_same_integer() {
    let frame = sample("cancel");
    let mut all = written(&frame);
    let (kind, content) = all.last_mut().expect("there is one");
    assert_eq!((*kind, content.pop()), (CANCEL, Some(2)));
    content.extend([251, 2, 0]);
    assert_eq!(read(&joined(&all)), Ok(frame));
}
