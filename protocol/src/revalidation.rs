//! The fact "this tag is stale from here on", and where it stands among all such facts.

mod tag;

use std::fmt;

pub use tag::{LAYOUT_DEPTH_MAX, Tag};

/// What becomes of renders that are stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Staleness {
    /// They are served to nobody.
    Hard,
    /// They are served while a new one is made, but not for longer than this.
    Soft {
        /// After this they are dead, too; `None`: never.
        expire_s: Option<u32>,
    },
}

/// What whoever publishes waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wait {
    /// For nothing: every node catches up within its lease.
    Eventual,
    /// Until it stands in the log: whoever has the position sees it.
    Session,
    /// Until no node serves anything older.
    Strict,
}

/// How long renders that were revalidated softly may still be served while a new one is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Profile(Option<u32>);

impl Profile {
    /// For ever: until a new render is there. What Next's `revalidateTag(tag, 'max')` means.
    #[must_use]
    pub const fn max() -> Self {
        Self(None)
    }

    /// For this many seconds. For none, it is a hard revalidation.
    #[must_use]
    pub const fn seconds(seconds: u32) -> Self {
        Self(Some(seconds))
    }

    /// For this many minutes.
    #[must_use]
    pub const fn minutes(minutes: u32) -> Self {
        Self(Some(minutes.saturating_mul(60)))
    }

    /// For this many hours.
    #[must_use]
    pub const fn hours(hours: u32) -> Self {
        Self(Some(hours.saturating_mul(3600)))
    }

    /// What becomes of the renders.
    #[must_use]
    pub const fn staleness(self) -> Staleness {
        match self.0 {
            Some(0) => Staleness::Hard,
            expire_s => Staleness::Soft { expire_s },
        }
    }
}

/// Which renders are stale.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Those that carry the tag.
    Tag(String),
    /// Those of the path, whatever their query.
    Path(String),
    /// Those of the path and of every path below it.
    Layout(String),
}

/// What an action declared stale.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Revalidation {
    /// Which renders.
    pub target: Target,
    /// What becomes of them.
    pub staleness: Staleness,
    /// What the action's answer waits for.
    pub wait: Wait,
}

/// A tag or path is longer than one may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {what} of {bytes} bytes; at most {bytes_max} are allowed")]
pub struct NameTooLong {
    what: &'static str,
    bytes: usize,
    bytes_max: usize,
}

/// A revalidation that names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevalidationError {
    /// A name that no render can carry.
    #[error(transparent)]
    TooLong(#[from] NameTooLong),
    /// A path that no page can be at.
    #[error("the path {path:?}; a path begins with a slash")]
    NoSlash {
        /// The path.
        path: String,
    },
}

impl RevalidationError {
    /// What a client is told of it.
    #[must_use]
    pub fn digest(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "tag-too-long",
            Self::NoSlash { .. } => "path-without-slash",
        }
    }
}

/// Longest tag, in bytes: that of Next.js (`NEXT_CACHE_TAG_MAX_LENGTH`).
pub const TAG_BYTES_MAX: usize = 256;

/// Longest path of a revalidation, in bytes: that of Next.js (`NEXT_CACHE_SOFT_TAG_MAX_LENGTH`).
pub const PATH_BYTES_MAX: usize = 1024;

/// Whether this may be the name of a tag.
///
/// # Errors
///
/// If it is too long.
pub fn check_tag(name: &str) -> Result<(), NameTooLong> {
    within("tag", name, TAG_BYTES_MAX)
}

fn within(what: &'static str, name: &str, bytes_max: usize) -> Result<(), NameTooLong> {
    let bytes = name.len();
    if bytes <= bytes_max { Ok(()) } else { Err(NameTooLong { what, bytes, bytes_max }) }
}

impl Revalidation {
    /// Hard, and before the answer on every node.
    const fn strict(target: Target) -> Self {
        Self { target, staleness: Staleness::Hard, wait: Wait::Strict }
    }

    /// Of every render that carries the tag.
    #[must_use]
    pub fn of_tag(name: impl Into<String>) -> Self {
        Self::strict(Target::Tag(name.into()))
    }

    /// Of every render of the path, whatever its query.
    #[must_use]
    pub fn of_path(path: impl Into<String>) -> Self {
        Self::strict(Target::Path(path.into()))
    }

    /// Of every render of the path and of those below it.
    #[must_use]
    pub fn of_layout(path: impl Into<String>) -> Self {
        Self::strict(Target::Layout(path.into()))
    }

    /// The same, softly: renders are served until a new one is there. Nobody waits for it.
    #[must_use]
    pub fn soft(self, profile: Profile) -> Self {
        match profile.staleness() {
            Staleness::Hard => self,
            staleness @ Staleness::Soft { .. } => Self { staleness, wait: Wait::Eventual, ..self },
        }
    }

    /// The tag whose version is raised.
    #[must_use]
    pub fn tag(&self) -> Tag {
        match &self.target {
            Target::Tag(name) => Tag::named(name),
            Target::Path(path) => Tag::path(path),
            Target::Layout(path) => Tag::layout(path),
        }
    }

    /// Whether its name is one.
    ///
    /// # Errors
    ///
    /// If it is too long, or a path that begins with no slash.
    pub fn check(&self) -> Result<(), RevalidationError> {
        match &self.target {
            Target::Tag(name) => Ok(check_tag(name)?),
            Target::Path(path) | Target::Layout(path) => {
                within("path", path, PATH_BYTES_MAX)?;
                let begins = path.starts_with('/');
                if begins { Ok(()) } else { Err(RevalidationError::NoSlash { path: path.clone() }) }
            }
        }
    }

    /// What is waited for when these are published together: the most that any of them asks for.
    #[must_use]
    pub fn wait_of(all: &[Self]) -> Wait {
        all.iter().map(|revalidation| revalidation.wait).max().unwrap_or(Wait::Eventual)
    }
}

/// Where a revalidation stands in the one order of all of them: `epoch << 36 | sequence`.
///
/// The sequence is dense (1, 2, 3 …), so a gap can be seen; the epoch grows with each new log, so positions stay
/// ordered when a log is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogPosition(u64);

/// Which log a position stands in. A later one begins where the store forgot something of the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(u64);

impl Epoch {
    /// Largest epoch: 28 bits.
    pub const MAX: Self = Self((1 << 28) - 1);

    /// The epoch as a number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The epoch with this number, if there is one.
    #[must_use]
    pub const fn new(epoch: u64) -> Option<Self> {
        if epoch <= Self::MAX.0 { Some(Self(epoch)) } else { None }
    }

    /// The epoch of this time: tens of seconds since 2020. A log that begins later has a later one, whatever was
    /// forgotten.
    #[must_use]
    pub const fn at(unix_ms: u64) -> Self {
        const FIRST_MS: u64 = 1_577_836_800_000;
        let tens = unix_ms.saturating_sub(FIRST_MS) / 10_000;
        if tens < Self::MAX.0 { Self(tens) } else { Self::MAX }
    }

    /// The position before the first of its log.
    #[must_use]
    pub const fn start(self) -> LogPosition {
        LogPosition(self.0 << LogPosition::SEQUENCE_BITS)
    }
}

impl LogPosition {
    const SEQUENCE_BITS: u32 = 36;

    /// Largest sequence of an epoch.
    pub const SEQUENCE_MAX: u64 = (1 << Self::SEQUENCE_BITS) - 1;

    /// The place with this number in the log of an epoch, if there is one.
    #[must_use]
    pub const fn new(epoch: Epoch, sequence: u64) -> Option<Self> {
        if sequence <= Self::SEQUENCE_MAX { Some(Self(epoch.start().0 | sequence)) } else { None }
    }

    /// Which log.
    #[must_use]
    pub const fn epoch(self) -> Epoch {
        Epoch(self.0 >> Self::SEQUENCE_BITS)
    }

    /// Which place of it.
    #[must_use]
    pub const fn sequence(self) -> u64 {
        self.0 & Self::SEQUENCE_MAX
    }

    /// The position as one number.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// The position with this number.
    #[must_use]
    pub const fn from_u64(position: u64) -> Self {
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_asked_for_without_a_word_is_hard_and_waited_for() {
        let all = [Revalidation::of_tag("a"), Revalidation::of_path("/a"), Revalidation::of_layout("/a")];
        for revalidation in &all {
            assert_eq!((revalidation.staleness, revalidation.wait), (Staleness::Hard, Wait::Strict));
        }
        assert_eq!(all.map(|one| one.tag()), [Tag::named("a"), Tag::path("/a"), Tag::layout("/a")]);
    }

    #[test]
    fn soft_is_soft_for_as_long_as_the_profile_says() {
        let soft = |profile| Revalidation::of_tag("a").soft(profile).staleness;
        assert_eq!(soft(Profile::max()), Staleness::Soft { expire_s: None });
        assert_eq!(soft(Profile::minutes(2)), Staleness::Soft { expire_s: Some(120) });
        assert_eq!(soft(Profile::hours(u32::MAX)), Staleness::Soft { expire_s: Some(u32::MAX) });
        assert_eq!(Revalidation::of_tag("a").soft(Profile::seconds(0)), Revalidation::of_tag("a"));
        assert_eq!(Revalidation::of_tag("a").soft(Profile::max()).wait, Wait::Eventual);
    }

    #[test]
    fn what_is_published_together_is_waited_for_as_the_strictest_of_it() {
        let soft = Revalidation::of_tag("a").soft(Profile::max());
        let session = Revalidation { wait: Wait::Session, ..soft.clone() };
        assert_eq!(Revalidation::wait_of(&[]), Wait::Eventual);
        assert_eq!(Revalidation::wait_of(&[soft.clone(), session.clone()]), Wait::Session);
        assert_eq!(Revalidation::wait_of(&[soft, Revalidation::of_path("/"), session]), Wait::Strict);
    }

    #[test]
    fn a_name_that_is_too_long_says_how_long_one_may_be() {
        let told = Revalidation::of_tag("x".repeat(1 << 20)).check().map_err(|error| error.to_string());
        assert_eq!(told, Err("a tag of 1048576 bytes; at most 256 are allowed".to_owned()));
        assert_eq!(Revalidation::of_tag("x".repeat(TAG_BYTES_MAX)).check(), Ok(()));
        assert_eq!(Revalidation::of_layout("/".repeat(PATH_BYTES_MAX)).check(), Ok(()));
        let long = Revalidation::of_path("/".repeat(PATH_BYTES_MAX + 1)).check();
        assert_eq!(long.map_err(|error| error.digest()), Err("tag-too-long"));
    }

    #[test]
    fn a_path_begins_with_a_slash() {
        for path in ["", "posts", "%2Fposts", "https://host/posts"] {
            for revalidation in [Revalidation::of_path(path), Revalidation::of_layout(path)] {
                let told = revalidation.check().map_err(|error| (error.digest(), error.to_string()));
                let expected = format!("the path {path:?}; a path begins with a slash");
                assert_eq!(told, Err(("path-without-slash", expected)));
            }
        }
        assert_eq!(Revalidation::of_tag("posts").check(), Ok(()));
    }

    proptest! {
        #[test]
        fn a_position_is_its_epoch_and_sequence(epoch in 0..1_u64 << 28, sequence in 0..1_u64 << 36) {
            let epoch = Epoch::new(epoch).expect("28 bits");
            let position = LogPosition::new(epoch, sequence).expect("36 bits");
            prop_assert_eq!((position.epoch(), position.sequence()), (epoch, sequence));
            prop_assert_eq!(LogPosition::from_u64(position.as_u64()), position);
        }
    }
}
