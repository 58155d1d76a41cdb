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

    /// The tag that every render of this path carries. The query is not part of it, and `/caf%C3%A9` is `/café`.
    #[must_use]
    pub fn path(path: &str) -> Self {
        Self(xxhash_rust::xxh3::xxh3_64_with_seed(&percent_decoded(path), PATH))
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

    #[test]
    fn a_path_is_the_same_however_it_is_escaped() {
        assert_eq!(Tag::path("/caf%C3%A9/%61"), Tag::path("/café/a"));
        assert_ne!(Tag::path("/100%"), Tag::path("/100%25%25"));
    }
}
