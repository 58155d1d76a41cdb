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

    /// The tag that every render of this path carries. The query is not part of it, and `/caf%C3%A9` is `/café`.
    #[must_use]
    pub fn path(path: &str) -> Self {
        Self(xxhash_rust::xxh3::xxh3_64_with_seed(&percent_decoded(path), PATH))
    }

    /// The tag that every render of this path and of those below it carries: `/blog` is one of `/blog/x`, and `/` one
    /// of all. Paths deeper than [`LAYOUT_DEPTH_MAX`] segments are one with what stands above them there.
    #[must_use]
    pub fn layout(path: &str) -> Self {
        Self::of_layout(layouts(path).last().unwrap_or_default())
    }

    /// The tags of a path and of all that stand above it, which each render of it carries: `/`, `/blog`, `/blog/x`.
    pub fn layouts(path: &str) -> impl Iterator<Item = Self> {
        layouts(path).map(Self::of_layout)
    }

    /// The root's is that of no text.
    fn of_layout(path: &str) -> Self {
        Self(xxhash_rust::xxh3::xxh3_64_with_seed(&percent_decoded(path), LAYOUT))
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

/// The bytes that a path's percent escapes stand for. What is no escape stays: two paths that come out alike are
/// revalidated together, which is harmless.
fn percent_decoded(path: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        match (first, digit(tail.first()), digit(tail.get(1))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            _ => {
                decoded.push(*first);
                rest = tail;
            }
        }
    }
    decoded
}

/// The path cut behind each of its segments, the shortest first: the root as no text, and never with a slash at its end.
fn layouts(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    let below = ends.map(|end| &path[..end]).filter(|cut| !cut.is_empty() && !cut.ends_with('/'));
    std::iter::once("").chain(below.take(LAYOUT_DEPTH_MAX))
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
    }

    #[test]
    fn a_render_carries_the_layouts_above_it_and_its_own() {
        let of = |path| Tag::layouts(path).collect::<Vec<_>>();
        let layout = Tag::layout;
        assert_eq!(of("/"), [layout("/")]);
        assert_eq!(of("/blog/x"), [layout("/"), layout("/blog"), layout("/blog/x")]);
        assert_eq!(of("/blog/"), of("/blog"));
        assert!(!of("/blogs").contains(&layout("/blog")));
        assert_eq!(layout("/blog/"), layout("/blog"));
        assert_eq!(layout(""), layout("/"));
    }

    #[test]
    fn a_deep_path_carries_no_more_tags_than_its_layouts_may_have() {
        let deep = "/a".repeat(10_000);
        assert_eq!(Tag::layouts(&deep).count(), LAYOUT_DEPTH_MAX + 1);
        assert!(Tag::layouts(&deep).any(|tag| tag == Tag::layout(&deep)));
    }

    proptest! {
        /// Goal: what is revalidated as a layout reaches everything below it. Method: any path, any of its ancestors.
        #[test]
        fn a_layout_covers_what_is_below_it(segments in prop::collection::vec("[a-z%0-9é]{1,5}", 0..50), cut in any::<prop::sample::Index>()) {
            let path: String = segments.iter().flat_map(|segment| ["/", segment]).collect();
            let above: String = segments[..cut.index(segments.len() + 1)].iter().flat_map(|segment| ["/", segment]).collect();
            prop_assert!(Tag::layouts(&path).any(|tag| tag == Tag::layout(&above)));
        }
    }
}
