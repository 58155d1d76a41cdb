//! Marks as bytes: what an entry of the log, a push and the declared tags of a process are made of.
//!
//! The first byte is the format, 1. Then each mark takes 13: the tag, how stale it is, and the seconds after which a soft
//! one is dead, the last in 4 bytes; all numbers big-endian. Whoever does not know the format treats everything as stale.

use std::sync::Arc;

use callboard_protocol::revalidation::Tag;

use crate::cache::store::{Mark, Staleness};

const FORMAT: u8 = 1;
const MARK_BYTES: usize = 13;

const HARD: u8 = 0;
const SOFT: u8 = 1;
const SOFT_EXPIRING: u8 = 2;

/// The bytes of these marks.
pub(crate) fn pack(marks: impl ExactSizeIterator<Item = Mark>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + marks.len() * MARK_BYTES);
    bytes.push(FORMAT);
    for mark in marks {
        let (staleness, expire_s) = match mark.staleness {
            Staleness::Hard => (HARD, 0),
            Staleness::Soft { expire_s: None } => (SOFT, 0),
            Staleness::Soft { expire_s: Some(expire_s) } => (SOFT_EXPIRING, expire_s),
        };
        bytes.extend_from_slice(&mark.tag.hash().to_be_bytes());
        bytes.push(staleness);
        bytes.extend_from_slice(&expire_s.to_be_bytes());
    }
    bytes
}

/// The bytes that say that everything is stale: nobody knows their format.
pub(crate) fn pack_all() -> Vec<u8> {
    vec![0]
}

/// The marks of these bytes, unless another format is theirs, or none.
pub(crate) fn unpack(bytes: &[u8]) -> Option<Arc<[Mark]>> {
    let (&FORMAT, marks) = bytes.split_first()? else { return None };
    let (marks, []) = marks.as_chunks::<MARK_BYTES>() else { return None };
    marks.iter().map(unpack_mark).collect()
}

fn unpack_mark(bytes: &[u8; MARK_BYTES]) -> Option<Mark> {
    let (tag, rest) = bytes.split_first_chunk::<8>()?;
    let (&staleness, expire_s) = rest.split_first()?;
    let expire_s = u32::from_be_bytes(expire_s.try_into().ok()?);
    let staleness = match (staleness, expire_s) {
        (HARD, 0) => Staleness::Hard,
        (SOFT, 0) => Staleness::Soft { expire_s: None },
        (SOFT_EXPIRING, expire_s) => Staleness::Soft { expire_s: Some(expire_s) },
        _ => return None,
    };
    Some(Mark { tag: Tag::from_hash(u64::from_be_bytes(*tag)), staleness })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marks() -> impl Strategy<Value = Vec<Mark>> {
        let staleness = prop_oneof![
            Just(Staleness::Hard),
            proptest::option::of(any::<u32>()).prop_map(|expire_s| Staleness::Soft { expire_s }),
        ];
        let mark = (any::<u64>(), staleness)
            .prop_map(|(tag, staleness)| Mark { tag: Tag::from_hash(tag), staleness });
        prop::collection::vec(mark, 0..50)
    }

    proptest! {
        #[test]
        fn marks_come_back_as_they_were(marks in marks()) {
            let back = unpack(&pack(marks.iter().copied()));
            prop_assert_eq!(back.as_deref(), Some(&marks[..]));
        }

        /// Goal: whatever stands in Redis, nobody takes part of it for the whole. Method: what is read is written again.
        #[test]
        fn any_bytes_are_marks_or_none(format in 0_u8..3, bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let bytes: Vec<u8> = std::iter::once(format).chain(bytes).collect();
            if let Some(marks) = unpack(&bytes) {
                prop_assert_eq!(pack(marks.iter().copied()), bytes);
            }
        }

        #[test]
        fn what_was_cut_or_twisted_is_read_whole_or_not_at_all(
            marks in marks(), cut in any::<prop::sample::Index>(), bit in 0_u32..8
        ) {
            let whole = pack(marks.iter().copied());
            let at = cut.index(whole.len());
            if let Some(fewer) = unpack(&whole[..at]) {
                prop_assert_eq!(&fewer[..], &marks[..fewer.len()]);
            }
            let mut twisted = whole;
            twisted[at] ^= 1 << bit;
            if let Some(others) = unpack(&twisted) {
                prop_assert_eq!(others.len(), marks.len());
            }
        }
    }

    /// Nodes of two versions read the same log.
    #[test]
    fn the_bytes_stay_what_they_are() {
        let mark = |staleness| Mark { tag: Tag::from_hash(0x0102_0304_0506_0708), staleness };
        let soft = Staleness::Soft { expire_s: Some(300) };
        let bytes = pack([mark(Staleness::Hard), mark(soft)].into_iter());
        assert_eq!(bytes, *b"\x01\x01\x02\x03\x04\x05\x06\x07\x08\0\0\0\0\0\x01\x02\x03\x04\x05\x06\x07\x08\x02\0\0\x01\x2c");
        for unknown in [&b""[..], b"\x02", b"\x01\x01", b"\0"] {
            assert_eq!(unpack(unknown), None, "{unknown:?}");
        }
    }
}
