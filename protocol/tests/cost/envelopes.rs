//! Frames between nodes: what they cost follows from how long they are, and not from what they claim.

use bytes::Bytes;
use callboard_protocol::envelope::{Frame, Namespace, VERSION};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::{Allowed, Cost, assert_linear};

/// The worst are cancels: some bytes each, and then as large as every message. A frame has at most 4,096 messages.
const ALLOWED: Allowed = Allowed { steps_per_byte: 0, peak_per_byte: 128, total_per_byte: 256 };

fn section(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind][..], &(content.len() as u32).to_le_bytes(), content].concat()
}

/// Sender 0, number 0, no incarnation.
fn header() -> Vec<u8> {
    section(1, &[0, 0, 0])
}

fn sealed(sections: &[Vec<u8>]) -> Bytes {
    let sections = sections.concat();
    let namespace = xxh3_64(b"cost");
    let (major, minor) = VERSION;
    let checksum = xxh3_64_with_seed(&sections, namespace ^ u64::from(u16::from_le_bytes([major, minor])));
    [&[major, minor][..], &namespace.to_le_bytes(), &checksum.to_le_bytes(), &sections].concat().into()
}

/// What has more messages or tags than it may is refused, and everything else is read if it is `genuine`.
fn assert_cheap(name: &str, genuine: bool, sections: impl Fn(usize) -> Vec<Vec<u8>>) {
    assert_linear(name, ALLOWED, |n| {
        let frame = sealed(&sections(n));
        Cost::of(frame.len(), || {
            let read = Frame::decode(&frame, Namespace::named("cost"));
            assert_eq!(read.is_ok(), genuine && n <= 4096, "{name}: {read:?}");
            0
        })
    });
}

/// The fields of a request, up to its list of tags.
fn fields() -> Vec<u8> {
    let mut fields = vec![0, 0, 0];
    fields.extend([0; 21]); // The action.
    fields.extend([0; 8]); // Build, slot, key, idempotency, idempotent, deadline, view: none, or 0. One for the list.
    fields.pop();
    fields
}

fn request(fields: &[u8]) -> Vec<u8> {
    section(2, &section(16, fields))
}

#[test]
fn many_small_messages_cost_no_more_than_their_length() {
    assert_cheap("cancels", true, |n| {
        let cancels = (0..n).map(|_| section(6, &[0, 0]));
        std::iter::once(header()).chain(cancels).collect()
    });
    assert_cheap("sections of no known kind", true, |n| {
        // As many as there may be messages, which they are not: beyond, the last one is cut off.
        let cut = (n > 4096).then(|| vec![99]);
        std::iter::once(header()).chain((0..n).map(|_| section(99, &[]))).chain(cut).collect()
    });
}

#[test]
fn lists_cost_no_more_than_their_length() {
    assert_cheap("empty tags", true, |n| {
        let mut fields = fields();
        fields.push(251);
        fields.extend((n as u16).to_le_bytes());
        // Each counts as eight bytes of the 64 KiB that fields may have: beyond 8,000 they are refused.
        fields.extend(vec![0; n]);
        fields.push(0);
        vec![header(), request(&fields)]
    });
}

/// Claims of lengths that are not there: a list of 2^60 tags, one of 43,690, and texts of 2^60 and of 65,000 bytes.
#[test]
fn what_is_claimed_and_not_there_costs_nothing() {
    let long = |length: u64| [&[253][..], &length.to_le_bytes()].concat();
    for length in [1 << 60, 43_690, 65_000] {
        let list = [fields(), long(length)].concat();
        let text = [fields(), vec![1], long(length)].concat();
        let mut key = fields();
        key.truncate(3 + 21 + 2);
        let key = [key, vec![1], long(length)].concat();
        for fields in [list, text, key] {
            assert_cheap("a claim", false, |n| vec![header(), section(99, &vec![0; n]), request(&fields)]);
        }
    }
}

#[test]
fn payloads_are_not_copied() {
    let frame = sealed(&[
        header(),
        section(4, &[section(16, &[0, 0, 1, 0, 0]), section(18, &vec![7; 1 << 20])].concat()),
    ]);
    let (decoded, heap) = crate::measure(|| Frame::decode(&frame, Namespace::named("cost")));
    assert_eq!(decoded.map(|frame| frame.messages.len()), Ok(1));
    assert!(heap.total_bytes < 4096, "{heap:?}");
}
