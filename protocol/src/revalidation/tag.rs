//! Names on renders, hashed.

/// A name on cached renders, hashed once: 64 bits that are the same on every node and build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(u64);

impl Tag {
    /// The tag with this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(xxhash_rust::xxh3::xxh3_64_with_seed(name.as_bytes(), NAMED))
    }

    /// The tag that every render of this path carries. The query is not part of it, and `/caf%C3%A9` is `/café`, however
    /// often it is escaped.
    #[must_use]
    pub fn path(path: &str) -> Self {
        Self(xxhash_rust::xxh3::xxh3_64_with_seed(&percent_decoded(path), PATH))
    }

    /// The tag that every render of this path and of those below it carries: `/blog` is one of `/blog/x`, and `/` one
    /// of all. Paths deeper than [`LAYOUT_DEPTH_MAX`] segments are one with what stands above them there.
    #[must_use]
    pub fn layout(path: &str) -> Self {
        let path = percent_decoded(path);
        Self::of_layout(layouts(&path).last().unwrap_or_default())
    }

    /// The tags of a path and of all that stand above it, which each render of it carries: `/`, `/blog`, `/blog/x`.
    #[must_use]
    pub fn layouts(path: &str) -> Vec<Self> {
        layouts(&percent_decoded(path)).map(Self::of_layout).collect()
    }

    /// The same, each with the path that it is of.
    #[must_use]
    pub fn named_layouts(path: &str) -> Vec<(Self, String)> {
        let named = |path: &[u8]| {
            let name = if path.is_empty() { "/".into() } else { String::from_utf8_lossy(path).into_owned() };
            (Self::of_layout(path), name)
        };
        layouts(&percent_decoded(path)).map(named).collect()
    }

    /// Of a path without escapes and without a slash at its end: the root's is that of no text.
    fn of_layout(path: &[u8]) -> Self {
        Self(xxhash_rust::xxh3::xxh3_64_with_seed(path, LAYOUT))
    }

    /// The tag with this hash.
    #[must_use]
    pub const fn from_hash(hash: u64) -> Self {
        Self(hash)
    }

    /// The hash, for tables indexed by it.
    #[must_use]
    pub fn hash(self) -> u64 {
        self.0
    }
}

/// The bytes that a path's percent escapes stand for, and those that come out of these, until there are none: whoever has
/// a path from a request has it as it was sent, or decoded once, and does not always know which. Two paths that come out
/// alike are revalidated together, which is harmless.
///
/// In one pass: an escape is undone where its last digit is written, and what it stands for may end another.
fn percent_decoded(path: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut decoded = Vec::with_capacity(path.len());
    for byte in path.bytes() {
        decoded.push(byte);
        while let [.., b'%', high, low] = decoded[..]
            && let (Some(high), Some(low)) = (digit(high), digit(low))
        {
            decoded.truncate(decoded.len() - 3);
            decoded.push((high * 16 + low) as u8);
        }
    }
    decoded
}

/// The path cut behind each of its segments, the shortest first: the root as no text, and never with a slash at its end.
fn layouts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    let below = ends.chain([path.len()]).map(|end| &path[..end]);
    let below = below.filter(|cut| !cut.is_empty() && !cut.ends_with(b"/"));
    std::iter::once(&path[..0]).chain(below.take(LAYOUT_DEPTH_MAX))
}

/// Deepest layout that has a tag of its own: else whoever asks for a path of thousands of slashes would have a render
/// carry as many tags.
pub const LAYOUT_DEPTH_MAX: usize = 32;

/// Seeds keep a tag `/a`, the path `/a` and the layout `/a` apart. Any three fixed numbers do.
const NAMED: u64 = 1;
const PATH: u64 = 2;
const LAYOUT: u64 = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tag_a_path_and_a_layout_of_the_same_name_differ() {
        assert_ne!(Tag::named("/a"), Tag::path("/a"));
        assert_ne!(Tag::layout("/a"), Tag::path("/a"));
        assert_ne!(Tag::layout("/a"), Tag::named("/a"));
    }

    #[test]
    fn a_path_is_the_same_however_it_is_escaped() {
        assert_eq!(Tag::path("/caf%C3%A9/%61"), Tag::path("/café/a"));
        assert_ne!(Tag::path("/100%"), Tag::path("/100%25%25"));
        assert_eq!(Tag::layout("/caf%C3%A9"), Tag::layout("/café"));
        // Sent, decoded once, and decoded twice.
        for path in ["/posts/a%2541", "/posts/a%41", "/posts/aA", "/posts/a%25252541", "/posts/a%%34%31"] {
            assert_eq!(Tag::path(path), Tag::path("/posts/aA"), "{path}");
            assert_eq!(Tag::layout(path), Tag::layout("/posts/aA"), "{path}");
        }
        assert!(Tag::layouts("/posts/a%2Fb/c").contains(&Tag::layout("/posts/a/b")));
        assert_eq!(Tag::layout("/posts/a%2F"), Tag::layout("/posts/a"));
    }

    #[test]
    fn a_render_carries_the_layouts_above_it_and_its_own() {
        let of = Tag::layouts;
        let layout = Tag::layout;
        assert_eq!(of("/"), [layout("/")]);
        assert_eq!(of("/blog/x"), [layout("/"), layout("/blog"), layout("/blog/x")]);
        assert_eq!(of("/blog/"), of("/blog"));
        assert!(!of("/blogs").contains(&layout("/blog")));
        assert_eq!(layout("/blog/"), layout("/blog"));
        assert_eq!(layout(""), layout("/"));
        let named = ["/", "/café", "/café/x"].map(|path| (layout(path), path.to_owned()));
        assert_eq!(Tag::named_layouts("/caf%C3%A9/x"), named);
    }

    #[test]
    fn a_deep_path_carries_no_more_tags_than_its_layouts_may_have() {
        let deep = "/a".repeat(10_000);
        assert_eq!(Tag::layouts(&deep).len(), LAYOUT_DEPTH_MAX + 1);
        assert!(Tag::layouts(&deep).contains(&Tag::layout(&deep)));
    }

    proptest! {
        /// Goal: what is revalidated as a layout reaches everything below it. Method: any path, any of its ancestors.
        #[test]
        fn a_layout_covers_what_is_below_it(segments in prop::collection::vec("[a-z%0-9é]{1,5}", 0..50), cut in any::<prop::sample::Index>()) {
            let path: String = segments.iter().flat_map(|segment| ["/", segment]).collect();
            let above: String = segments[..cut.index(segments.len() + 1)].iter().flat_map(|segment| ["/", segment]).collect();
            prop_assert!(Tag::layouts(&path).contains(&Tag::layout(&above)));
        }

        /// Goal: it does not matter how often a path was decoded before it is named. Method: any path, escaped again and
        /// again, any of its characters or none.
        #[test]
        fn a_path_is_the_same_however_often_it_is_escaped(path in "[%0-9a-f/é]{0,20}", escaped in any::<u32>(), times in 0..4_u32) {
            let again = |path: String, round: u32| -> String {
                let bits = escaped.rotate_left(7 * round);
                let one = |(at, byte): (usize, u8)| match byte {
                    byte if bits >> (at % 32) & 1 == 1 || !byte.is_ascii() => format!("%{byte:02x}"),
                    byte => char::from(byte).to_string(),
                };
                path.bytes().enumerate().map(one).collect()
            };
            let spelled = (0..times).fold(path.clone(), again);
            prop_assert_eq!(Tag::path(&spelled), Tag::path(&path));
            prop_assert_eq!(Tag::layouts(&spelled), Tag::layouts(&path));
        }
    }
}
