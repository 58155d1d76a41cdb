//! Where the keys of a node that is alone come from: its settings, or a file that remembers a key per build.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use callboard_protocol::{KeyRing, key_ring::KeyId};
use serde::{Deserialize, Serialize};
use tracing::info;

use crate::{build_id::BuildId, clock, settings::Settings};

/// The keys of this run, and the salt of its action ids.
pub(crate) struct Keys {
    pub(crate) ring: KeyRing,
    pub(crate) salt: Vec<u8>,
}

/// What the keys are for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// This build takes the place of those before it.
    Serve,
    /// Other builds stay as they are; this one gets its key if it has none yet.
    Print,
}

/// Waits until no other process has the lock; it ends with the file.
fn lock(path: &Path) -> anyhow::Result<fs::File> {
    let locked = fs::File::create(path).and_then(|file| {
        file.lock()?;
        Ok(file)
    });
    locked.with_context(|| format!("cannot lock {}", path.display()))
}

/// The file `keys.json` of the state directory.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    builds: Vec<BuildKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BuildKey {
    build: String,
    /// `id:base64`.
    key: String,
    /// When another build took its place; none for the one that ran last.
    replaced_unix_ms: Option<u64>,
}

impl Keys {
    /// The configured ring; else the key of this build, made at its first start, with those of the builds before it
    /// for verification only.
    ///
    /// # Errors
    ///
    /// A ring or a file that cannot be read; the message names it.
    pub(crate) fn load(
        application: &str,
        settings: &Settings,
        state_dir: &Path,
        build: BuildId,
        purpose: Purpose,
    ) -> anyhow::Result<Self> {
        if let Some(text) = &settings.keys {
            let ring = KeyRing::parse(text).context("setting keys")?;
            return Ok(Self { ring, salt: application.as_bytes().to_vec() });
        }
        let path = state_dir.join("keys.json");
        let build = build.to_string();
        // Two nodes that start at once agree on one key: the second reads what the first wrote.
        let _lock = lock(&state_dir.join("keys.lock"))?;
        let mut file = KeyFile::read(&path)?;
        if purpose == Purpose::Serve || !file.knows(&build) {
            if purpose == Purpose::Serve {
                file.enter(&build, clock::unix_ms(), settings.skew_window);
            } else {
                file.add(&build);
            }
            file.write(&path)
                .with_context(|| format!("cannot keep this build's key in {}", path.display()))?;
        }
        info!(file = %path.display(), "no key ring is configured: this build signs with a key of its own");
        file.keys(&build).with_context(|| format!("{}", path.display()))
    }
}

impl KeyFile {
    fn read(path: &Path) -> anyhow::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is damaged; delete it to start with a new key", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes a copy and renames it, so that a crash leaves the old file or the new one. Only its owner may read it.
    fn write(&self, path: &Path) -> anyhow::Result<()> {
        let folder = path.parent().context("a file has a folder")?;
        fs::create_dir_all(folder)?;
        let mut copy = PathBuf::from(path);
        copy.set_extension(format!("{}.new", std::process::id()));
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&copy)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        fs::rename(&copy, path)?;
        Ok(())
    }

    /// This build runs now: it gets a key if it has none, those before it are replaced from now on, and those that
    /// were replaced longer than `skew_window` ago are forgotten.
    fn enter(&mut self, build: &str, now_ms: u64, skew_window: Duration) {
        for other in &mut self.builds {
            other.replaced_unix_ms =
                if other.build == build { None } else { other.replaced_unix_ms.or(Some(now_ms)) };
        }
        let window_ms = skew_window.as_millis() as u64;
        self.builds
            .retain(|other| other.replaced_unix_ms.is_none_or(|at| at.saturating_add(window_ms) > now_ms));
        // 256 key ids, one of them for this build: the oldest go first.
        self.builds.sort_by_key(|other| std::cmp::Reverse(other.replaced_unix_ms.unwrap_or(u64::MAX)));
        self.builds.truncate(255);
        self.add(build);
    }

    /// Gives this build a key if it has none.
    fn add(&mut self, build: &str) {
        if !self.knows(build) {
            let key = KeyRing::generate(self.unused_id(), rand::random()).to_text().to_string();
            self.builds.push(BuildKey { build: build.to_owned(), key, replaced_unix_ms: None });
        }
    }

    fn knows(&self, build: &str) -> bool {
        self.builds.iter().any(|other| other.build == build)
    }

    fn unused_id(&self) -> KeyId {
        let used = |id: u8| self.builds.iter().any(|other| other.key.starts_with(&format!("{id}:")));
        KeyId::new((0..=u8::MAX).find(|id| !used(*id)).expect("fewer than 256 builds are remembered"))
    }

    fn keys(&self, build: &str) -> anyhow::Result<Keys> {
        let own = self.builds.iter().find(|other| other.build == build).context("this build has no key")?;
        let mut ring = KeyRing::parse(&own.key)?;
        let salt = ring.build_salt().to_vec();
        let others: Vec<_> =
            self.builds.iter().filter(|other| other.build != build).map(|other| other.key.as_str()).collect();
        if !others.is_empty() {
            ring = ring.with_other_builds(&others.join(","))?;
        }
        Ok(Keys { ring, salt })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn names(file: &KeyFile) -> Vec<&str> {
        let mut names: Vec<_> = file.builds.iter().map(|build| build.build.as_str()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_build_keeps_its_key_and_each_has_another() {
        let mut file = KeyFile::default();
        file.enter("a", 0, DAY);
        let first = file.builds[0].key.clone();
        file.enter("a", 10, DAY);
        assert_eq!(file.builds[0].key, first);
        file.enter("b", 20, DAY);
        assert_eq!(names(&file), ["a", "b"]);
        assert_eq!(file.keys("b").expect("has a key").ring.fingerprints().count(), 2);
    }

    #[test]
    fn a_replaced_build_is_remembered_for_the_window_from_its_replacement() {
        let day = DAY.as_millis() as u64;
        let mut file = KeyFile::default();
        file.enter("a", 0, DAY);
        file.enter("b", 10 * day, DAY);
        file.enter("b", 11 * day - 1, DAY);
        assert_eq!(names(&file), ["a", "b"]);
        file.enter("b", 11 * day, DAY);
        assert_eq!(names(&file), ["b"]);
    }
}
