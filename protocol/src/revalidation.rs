//! The fact "this tag is stale from here on", and where it stands among all such facts.

use std::fmt;

/// A name on cached renders, hashed once: 64 bits that are the same on every node and build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(u64);

impl Tag {
    /// The tag with this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(xxhash_rust::xxh3::xxh3_64_with_seed(name.as_bytes(), NAMED))
    }

    /// The tag that every render of this path carries. The query is not part of it.
    #[must_use]
    pub fn path(path: &str) -> Self {
        Self(xxhash_rust::xxh3::xxh3_64_with_seed(path.as_bytes(), PATH))
    }

    /// The hash, for tables indexed by it.
    #[must_use]
    pub fn hash(self) -> u64 {
        self.0
    }
}

/// Seeds keep a tag `/a` and the path `/a` apart. Any two fixed numbers do.
const NAMED: u64 = 1;
const PATH: u64 = 2;

/// What an action declared stale.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Revalidation {
    /// Every render that carries the tag.
    Tag(String),
    /// Every render of the path, whatever its query.
    Path(String),
}

impl Revalidation {
    /// The tag whose version is raised.
    #[must_use]
    pub fn tag(&self) -> Tag {
        match self {
            Self::Tag(name) => Tag::named(name),
            Self::Path(path) => Tag::path(path),
        }
    }
}

/// Where a revalidation stands in the one order of all of them: `epoch << 36 | sequence`.
///
/// The sequence is dense (1, 2, 3 …), so a gap can be seen; the epoch grows with each new log, so positions stay
/// ordered when a log is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogPosition(u64);

impl LogPosition {
    /// The position as one number.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// The position with this number.
    #[must_use]
    pub fn from_u64(position: u64) -> Self {
        Self(position)
    }
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_and_a_path_of_the_same_name_differ() {
        assert_ne!(Tag::named("/a"), Tag::path("/a"));
        assert_eq!(Revalidation::Path("/a".into()).tag(), Tag::path("/a"));
    }
}
