//! What is remembered of the keys of builds, and the one rule of it: a build has one key, the builds that it takes the
//! place of are remembered for a while.

use std::time::Duration;

use anyhow::Context as _;
use callboard_protocol::{KeyRing, key_ring::KeyId};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;
use zeroize::{Zeroize as _, Zeroizing};

use super::Keys;

/// The keys of all builds that are remembered.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    builds: Vec<BuildKey>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BuildKey {
    build: String,
    /// `id:base64`.
    key: String,
    /// When another build took its place; none for those that run.
    replaced_unix_ms: Option<u64>,
}

impl Drop for BuildKey {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl BuildKey {
    fn id(&self) -> Option<u8> {
        self.key.split_once(':')?.0.parse().ok()
    }
}

/// Nodes of one build have made two keys.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the keys of this cluster were made anew while this node ran, and it signs with one that the others do not know: \
     restart it"
)]
pub(crate) struct Contradiction;

impl Record {
    /// Reads what [`Self::to_json`] wrote. An error never repeats any of it.
    ///
    /// # Errors
    ///
    /// Where it breaks off making sense.
    pub(crate) fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        serde_json::from_slice(bytes)
            .map_err(|error| anyhow::anyhow!("line {}, column {}", error.line(), error.column()))
    }

    pub(crate) fn to_json(&self) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        Ok(Zeroizing::new(serde_json::to_vec_pretty(self)?))
    }

    /// This build runs now, and so do `running`: it gets a key if it has none, others are replaced from now on, and those
    /// that were replaced longer than `skew_window` ago are forgotten.
    pub(crate) fn enter(&mut self, build: &str, running: &[String], now_ms: u64, skew_window: Duration) {
        for other in &mut self.builds {
            let runs = other.build == build || running.contains(&other.build);
            other.replaced_unix_ms = if runs { None } else { other.replaced_unix_ms.or(Some(now_ms)) };
        }
        let window_ms = skew_window.as_millis() as u64;
        self.builds
            .retain(|other| other.replaced_unix_ms.is_none_or(|at| at.saturating_add(window_ms) > now_ms));
        self.add(build);
    }

    /// Gives this build a key if it has none.
    pub(crate) fn add(&mut self, build: &str) {
        if !self.knows(build) {
            self.make_room();
            let key = KeyRing::generate(self.unused_id(build), rand::random()).to_text().to_string();
            self.builds.push(BuildKey { build: build.to_owned(), key, replaced_unix_ms: None });
        }
    }

    /// Adds what a node knows and this record does not: Redis lost it, or a part of it.
    ///
    /// # Errors
    ///
    /// [`Contradiction`] where the node's own build has another key here, or another build has its id.
    pub(crate) fn put_back(&mut self, build: &str, known: &Self) -> Result<(), Contradiction> {
        for one in &known.builds {
            match self.builds.iter().find(|there| there.build == one.build || there.id() == one.id()) {
                None => {
                    self.make_room();
                    self.builds.push(one.clone());
                }
                Some(there) if one.build == build && there.key != one.key => return Err(Contradiction),
                Some(_) => {}
            }
        }
        Ok(())
    }

    pub(crate) fn knows(&self, build: &str) -> bool {
        self.builds.iter().any(|other| other.build == build)
    }

    /// How many builds are remembered.
    pub(crate) fn len(&self) -> usize {
        self.builds.len()
    }

    /// The ring of a build, and its salt.
    ///
    /// # Errors
    ///
    /// It has no key, or one of them is none.
    pub(crate) fn keys(&self, build: &str) -> anyhow::Result<Keys> {
        let own = self.builds.iter().find(|other| other.build == build).context("this build has no key")?;
        let mut ring = KeyRing::parse(&own.key)?;
        let salt = ring.build_salt().to_vec();
        let others: Vec<_> =
            self.builds.iter().filter(|other| other.build != build).map(|other| other.key.as_str()).collect();
        if !others.is_empty() {
            ring = ring.with_other_builds(&Zeroizing::new(others.join(",")))?;
        }
        Ok(Keys { ring, salt })
    }

    /// There are 256 key ids: the one that was replaced first goes, those that run go last.
    fn make_room(&mut self) {
        self.builds.sort_by_key(|other| std::cmp::Reverse(other.replaced_unix_ms.unwrap_or(u64::MAX)));
        self.builds.truncate(255);
    }

    /// The first free id from a place that follows from the build. So nodes of one build that made two keys, because
    /// what they knew was lost, made them under one id, and are told apart when they join; nodes of different builds
    /// hardly ever meet.
    fn unused_id(&self, build: &str) -> KeyId {
        let first = xxh3_64(build.as_bytes()) as u8;
        let used = |id: u8| self.builds.iter().any(|other| other.id() == Some(id));
        let id = (0..=u8::MAX).map(|step| first.wrapping_add(step)).find(|id| !used(*id));
        KeyId::new(id.expect("fewer than 256 builds are remembered"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);
    const DAY_MS: u64 = DAY.as_millis() as u64;

    fn names(record: &Record) -> Vec<&str> {
        let mut names: Vec<_> = record.builds.iter().map(|build| build.build.as_str()).collect();
        names.sort_unstable();
        names
    }

    fn key(record: &Record, build: &str) -> String {
        record.builds.iter().find(|other| other.build == build).expect("is known").key.clone()
    }

    #[test]
    fn a_build_keeps_its_key_and_each_has_another() {
        let mut record = Record::default();
        record.enter("a", &[], 0, DAY);
        let first = key(&record, "a");
        record.enter("a", &[], 10, DAY);
        assert_eq!(key(&record, "a"), first);
        record.enter("b", &[], 20, DAY);
        assert_eq!(names(&record), ["a", "b"]);
        assert_eq!(record.keys("b").expect("has a key").ring.fingerprints().count(), 2);
    }

    #[test]
    fn a_replaced_build_is_remembered_for_the_window_from_its_replacement() {
        let mut record = Record::default();
        record.enter("a", &[], 0, DAY);
        record.enter("b", &[], 10 * DAY_MS, DAY);
        record.enter("b", &[], 11 * DAY_MS - 1, DAY);
        assert_eq!(names(&record), ["a", "b"]);
        record.enter("b", &[], 11 * DAY_MS, DAY);
        assert_eq!(names(&record), ["b"]);
    }

    /// Goal: a slow roll-out takes nobody's key. Method: both builds start again and again for longer than the window.
    #[test]
    fn builds_that_run_at_the_same_time_do_not_replace_each_other() {
        let mut record = Record::default();
        record.enter("old", &[], 0, DAY);
        record.enter("new", &["old".to_owned()], 1, DAY);
        let keys = (key(&record, "old"), key(&record, "new"));
        for day in 1..10 {
            record.enter("old", &["new".to_owned()], day * DAY_MS, DAY);
            record.enter("new", &["old".to_owned()], day * DAY_MS + 1, DAY);
        }
        assert_eq!((key(&record, "old"), key(&record, "new")), keys);
        // Once the old one runs nowhere, its time begins.
        record.enter("new", &["new".to_owned()], 20 * DAY_MS, DAY);
        assert_eq!(names(&record), ["new", "old"]);
        record.enter("new", &["new".to_owned()], 21 * DAY_MS, DAY);
        assert_eq!(names(&record), ["new"]);
    }

    #[test]
    fn ids_are_unique_among_hundreds_of_builds_and_those_that_run_are_kept() {
        let mut record = Record::default();
        let running = ["0".to_owned()];
        for build in 0..600 {
            record.enter(&build.to_string(), &running, build, DAY);
        }
        let ids: std::collections::BTreeSet<_> = record.builds.iter().map(BuildKey::id).collect();
        assert_eq!((ids.len(), record.len()), (256, 256));
        assert!(record.knows("0") && record.knows("599"));
        assert_eq!(record.keys("599").expect("a ring").ring.fingerprints().count(), 256);
    }

    #[test]
    fn what_a_node_knows_is_put_back() {
        let mut known = Record::default();
        known.enter("a", &[], 0, DAY);
        known.enter("b", &[], 1, DAY);
        let mut lost = Record::default();
        assert_eq!(lost.put_back("b", &known), Ok(()));
        assert!(lost == known);
        // Somebody whose build came later made a key meanwhile.
        let mut lost = Record::default();
        lost.enter("c", &[], 2, DAY);
        assert_eq!(lost.put_back("b", &known), Ok(()));
        assert_eq!(names(&lost), ["a", "b", "c"]);
        assert_eq!(key(&lost, "b"), key(&known, "b"));
    }

    #[test]
    fn two_keys_of_one_build_are_told_apart() {
        let (mut known, mut anew) = (Record::default(), Record::default());
        known.enter("a", &[], 0, DAY);
        anew.enter("a", &[], 1, DAY);
        assert_eq!(anew.put_back("a", &known), Err(Contradiction));
        // Whoever joins with the one is refused by those with the other: the id is the same.
        let [one, other] =
            [&known, &anew].map(|record| record.keys("a").expect("a ring").ring.signing_key_id());
        assert_eq!(one, other);
    }

    #[test]
    fn what_is_written_is_read_and_errors_do_not_repeat_it() {
        let mut record = Record::default();
        record.enter("a", &[], 0, DAY);
        let json = record.to_json().expect("JSON");
        assert!(Record::parse(&json).is_ok_and(|read| read == record));
        let error = Record::parse(br#"{"builds":[{"build":"a","key":"1:c2VjcmV0","secret":"c2VjcmV0"}]}"#);
        let error = format!("{:#}", error.err().expect("is none"));
        assert!(error.starts_with("line 1, column") && !error.contains("c2Vjc"), "{error}");
    }
}
