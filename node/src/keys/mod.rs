//! Where the keys of a node come from: its settings, or a record that remembers a key per build. A node that is alone
//! keeps the record in a file, the nodes of a cluster in their Redis.

mod file;
mod record;
pub(crate) mod shared;

use std::path::Path;

use anyhow::Context as _;
use callboard_protocol::KeyRing;
use tracing::info;

pub(crate) use self::record::Record;
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

impl Keys {
    /// Those of the setting `keys`, if it is given.
    ///
    /// # Errors
    ///
    /// The setting is no key ring.
    pub(crate) fn configured(application: &str, settings: &Settings) -> anyhow::Result<Option<Self>> {
        let Some(text) = &settings.keys else { return Ok(None) };
        let ring = KeyRing::parse(text).context("setting keys")?;
        Ok(Some(Self { ring, salt: application.as_bytes().to_vec() }))
    }

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
        if let Some(keys) = Self::configured(application, settings)? {
            return Ok(keys);
        }
        let path = file::path(state_dir);
        let build = build.to_string();
        // Two nodes that start at once agree on one key: the second reads what the first wrote.
        let _lock = file::lock(state_dir)?;
        let mut record = file::read(&path)?;
        if purpose == Purpose::Serve || !record.knows(&build) {
            match purpose {
                Purpose::Serve => record.enter(&build, &[], clock::unix_ms(), settings.skew_window),
                Purpose::Print => record.add(&build),
            }
            file::write(&record, &path)
                .with_context(|| format!("cannot keep this build's key in {}", path.display()))?;
        }
        info!(file = %path.display(), "no key ring is configured: this build signs with a key of its own");
        record.keys(&build).with_context(|| format!("{}", path.display()))
    }

    /// What a node that is alone keeps in its state directory.
    ///
    /// # Errors
    ///
    /// A file that cannot be read; the message names it.
    pub(crate) fn in_file(state_dir: &Path) -> anyhow::Result<Record> {
        file::read(&file::path(state_dir))
    }
}
