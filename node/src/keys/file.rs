//! The file `keys.json` of the state directory.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use zeroize::Zeroizing;

use super::record::Record;

pub(super) fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("keys.json")
}

/// Waits until no other process has the lock; it ends with the file.
pub(super) fn lock(state_dir: &Path) -> anyhow::Result<fs::File> {
    let path = state_dir.join("keys.lock");
    let locked = fs::File::create(&path).and_then(|file| {
        file.lock()?;
        Ok(file)
    });
    locked.with_context(|| format!("cannot lock {}", path.display()))
}

/// What it holds; nothing where there is none.
pub(super) fn read(path: &Path) -> anyhow::Result<Record> {
    match fs::read(path).map(Zeroizing::new) {
        Ok(bytes) => Record::parse(&bytes)
            .with_context(|| format!("{} is damaged; delete it to start with a new key", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Record::default()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Writes a copy and renames it, so that a crash leaves the old file or the new one. Only its owner may read it.
pub(super) fn write(record: &Record, path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().context("a file has a folder")?;
    fs::create_dir_all(folder)?;
    let mut copy = PathBuf::from(path);
    copy.set_extension(format!("{}.new", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&copy)?;
    file.write_all(&record.to_json()?)?;
    file.sync_all()?;
    fs::rename(&copy, path)?;
    Ok(())
}
