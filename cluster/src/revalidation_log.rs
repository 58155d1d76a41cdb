//! The one order of all revalidations, on a node that is alone.

use callboard_protocol::revalidation::{LogPosition, Revalidation};

use crate::Versions;

/// Numbers revalidations 1, 2, 3 … and applies each before its number is given out.
///
/// It has one writer; a cluster puts a shared log in its place and applies what comes from there.
#[derive(Debug, Default)]
pub struct RevalidationLog {
    last: LogPosition,
}

impl RevalidationLog {
    /// Appends a set of revalidations that become visible together, and applies it to `versions`.
    pub fn publish(&mut self, revalidations: &[Revalidation], versions: &Versions) -> LogPosition {
        self.last = LogPosition::from_u64(self.last.as_u64() + 1);
        versions.apply(self.last, revalidations.iter().map(Revalidation::tag));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use callboard_protocol::revalidation::Tag;

    use super::*;

    #[test]
    fn a_position_is_applied_when_it_is_given_out() {
        let (mut log, versions) = (RevalidationLog::default(), Versions::default());

        let first = log.publish(&[Revalidation::Tag("a".into()), Revalidation::Path("/b".into())], &versions);
        assert_eq!((first, versions.applied()), (LogPosition::from_u64(1), first));
        let second = log.publish(&[Revalidation::Tag("a".into())], &versions);

        assert!(second > first);
        assert_eq!(versions.newest_of(&[Tag::named("a")]), second);
        assert_eq!(versions.newest_of(&[Tag::path("/b")]), first);
    }
}
