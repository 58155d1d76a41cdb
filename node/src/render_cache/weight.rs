//! What is kept weighs as much as it takes of memory. A weight never changes, as the cache counts it when something comes
//! and when it goes.

use callboard_cluster::cache::Stamp;
use quick_cache::Weighter;

use super::{
    Kept, Representation,
    body::{Body, Payload},
    entry::{Entry, Uncommon},
    fragment::Fragment,
    gzip::{self, Compressed},
    key::Place,
};

/// Weighs by the memory that something takes.
#[derive(Clone)]
pub(super) struct ByBytes;

/// Share of the cache's own tables, which double when they are full: 50 bytes when they are, 100 just after.
pub(super) const TABLES_BYTES: usize = 72;

/// A compressed body besides its bytes: its box, its `etag` and the count of who holds it.
const COMPRESSED_BYTES: usize = size_of::<Compressed>() + 80;

/// Who holds bytes that responses share, counted once there is one.
const SHARED_BYTES: usize = 32;

impl Weighter<Place, Kept> for ByBytes {
    fn weight(&self, _: &Place, kept: &Kept) -> u64 {
        let bytes = match kept {
            Kept::Page(entry) => of_page(entry),
            Kept::Fragment(fragment) => of_fragment(fragment),
        };
        (TABLES_BYTES + bytes) as u64
    }
}

pub(super) fn of_page(entry: &Entry) -> usize {
    let gzip = of_gzip(entry.body(Representation::Html));
    let uncommon = entry.uncommon.as_deref().map_or(0, |uncommon| {
        let Uncommon { fragments, holes, payload } = uncommon;
        let payload = payload.as_deref().map_or(0, of_payload);
        allocated(size_of::<Uncommon>()) + of_slice(fragments) + of_slice(holes) + payload
    });
    shared::<Entry>() + of_slice(&entry.texts) + of_slice(entry.own.tags()) + uncommon + gzip
}

fn of_payload(payload: &Payload) -> usize {
    let bytes = of_slice(&payload.bytes) + SHARED_BYTES;
    allocated(size_of::<Payload>()) + bytes + of_slice(&payload.holes) + of_gzip(payload.body())
}

/// What a body may take that somebody wants compressed.
fn of_gzip(body: Body<'_>) -> usize {
    if body.is_compressible() { COMPRESSED_BYTES + allocated(gzip::bytes_max(body.bytes.len())) } else { 0 }
}

/// Pages may hold its stamps longer than it is kept.
fn of_fragment(fragment: &Fragment) -> usize {
    let Fragment { key, html, own, fragments, tag_names, expires: _, ends: _ } = fragment;
    let names: usize = tag_names.iter().map(|name| of_slice(name.as_bytes())).sum();
    let own = shared::<Stamp>() + of_slice(own.tags());
    let texts = of_slice(key.as_bytes()) + of_slice(html.as_bytes()) + of_slice(tag_names) + names;
    shared::<Fragment>() + texts + own + of_slice(fragments)
}

/// What something shared takes, with the two counts of who holds it.
fn shared<T>() -> usize {
    allocated(size_of::<T>() + 2 * size_of::<usize>())
}

fn of_slice<T>(slice: &[T]) -> usize {
    allocated(size_of_val(slice))
}

/// What an allocator gives to whoever asks for so many bytes: usual ones have four sizes between a power of two and the
/// next, and none that is no multiple of 16.
fn allocated(bytes: usize) -> usize {
    let step = bytes.next_power_of_two() / 8;
    bytes.next_multiple_of(step.max(16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_allocator_gives() {
        let cases = [(0, 0), (1, 16), (16, 16), (17, 32), (120, 128), (129, 160), (160, 160), (8193, 10_240)];
        for (asked, given) in cases {
            assert_eq!(allocated(asked), given, "{asked}");
        }
    }

    /// Each page that is kept has one: what is added here is added as often as there are pages.
    #[test]
    fn an_entry_is_small() {
        assert_eq!(shared::<Entry>(), 160);
        assert_eq!(size_of::<(Place, Kept)>(), 24);
    }
}
