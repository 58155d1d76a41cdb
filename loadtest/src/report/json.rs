//! The JSON of a run: written in one piece or not at all, and read only if it is of this version.

use std::{io::Write as _, path::Path};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::results::{Results, SCHEMA};

/// Writes results. The text report should be printed whatever comes of it.
///
/// # Errors
///
/// If the file cannot be written; nothing of it is there then.
pub(crate) fn write(file: &Path, results: &Results) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec_pretty(results).context("the results are no JSON")?;
    text.push(b'\n');
    write_file(file, &text)
}

/// Writes a file in one piece: beside its place first, and there when all of it is on the disk.
///
/// # Errors
///
/// If that is not possible: why, and what may help.
pub(crate) fn write_file(file: &Path, content: &[u8]) -> anyhow::Result<()> {
    if file.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        // A device or a pipe is written to, and not replaced.
        return std::fs::write(file, content).with_context(|| format!("cannot write to {}", file.display()));
    }
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let written = (|| {
        let mut beside = tempfile::Builder::new().prefix(".callboard-loadtest-").tempfile_in(folder)?;
        beside.write_all(content)?;
        // What fits only the page cache has to be told as well.
        beside.as_file().sync_all()?;
        #[cfg(unix)]
        readable_as_usual(beside.as_file())?;
        beside.persist(file).map_err(|error| error.error)
    })();
    written.map(drop).map_err(|error| {
        let advice = advice(error.kind(), folder);
        anyhow::Error::from(error).context(format!("cannot write {}: {advice}", file.display()))
    })
}

/// Temporary files are their owner's alone; a report is for others as well.
#[cfg(unix)]
fn readable_as_usual(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

fn advice(kind: std::io::ErrorKind, folder: &Path) -> String {
    use std::io::ErrorKind as Kind;

    let folder = folder.display();
    match kind {
        Kind::StorageFull | Kind::QuotaExceeded => {
            format!("{folder} has no room left; free some, or name a file elsewhere")
        }
        Kind::NotFound | Kind::NotADirectory => {
            format!("there is no folder {folder}; make it, or name a file elsewhere")
        }
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => {
            format!("{folder} may not be written to; name a file elsewhere")
        }
        _ => "name a file elsewhere".to_owned(),
    }
}

/// Reads what [`write`] wrote.
///
/// # Errors
///
/// If there is no such file, if it holds something else, or results of another version.
pub(crate) fn read(file: &Path) -> anyhow::Result<Results> {
    /// What has to be right before anything else is looked at.
    #[derive(Deserialize)]
    struct Head {
        schema: Option<String>,
    }

    let name = file.display();
    let text = std::fs::read(file).with_context(|| format!("cannot read {name}"))?;
    let head: Head = serde_json::from_slice(&text).with_context(|| {
        format!("{name} holds no results of a run: `callboard-loadtest run --out FILE` writes them")
    })?;
    match head.schema.as_deref() {
        Some(SCHEMA) => {}
        Some(other) => bail!("{name} is of schema {other:?}, and this program reads {SCHEMA:?}"),
        None => bail!("{name} does not say its schema: this program reads {SCHEMA:?}"),
    }
    serde_json::from_slice(&text).with_context(|| format!("{name} says it is {SCHEMA:?}, and is not"))
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("results.json");
        std::fs::write(&file, "what was there before").unwrap();
        write(&file, &sample::results()).unwrap();
        assert_eq!(read(&file).unwrap(), sample::results());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_cannot_be_written_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let error = write(&folder.path().join("none/results.json"), &sample::results()).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("none/results.json"), "{text}");
        assert!(text.contains("there is no folder"), "{text}");
        assert!(advice(std::io::ErrorKind::StorageFull, Path::new("/x")).contains("/x has no room left"));
        assert!(advice(std::io::ErrorKind::PermissionDenied, Path::new("/x")).contains("may not be written"));
    }

    #[test]
    fn a_device_is_written_to_and_stays_one() {
        let full = Path::new("/dev/full");
        let told = format!("{:#}", write(full, &sample::results()).unwrap_err());
        assert!(told.contains("/dev/full") && told.contains("No space left"), "{told}");
        assert!(!full.metadata().unwrap().is_file());
    }

    #[test]
    fn results_of_another_version_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let told = |content: &str| {
            let file = folder.path().join("results.json");
            std::fs::write(&file, content).unwrap();
            format!("{:#}", read(&file).unwrap_err())
        };
        assert!(told(r#"{"schema":"callboard-loadtest/9"}"#).contains("\"callboard-loadtest/9\""));
        assert!(told(r#"{"name":"x"}"#).contains("does not say its schema"));
        assert!(told("hello").contains("holds no results of a run"));
        assert!(told(r#"{"schema":"callboard-loadtest/1"}"#).contains("and is not"));
        assert!(format!("{:#}", read(&folder.path().join("none")).unwrap_err()).contains("cannot read"));
    }
}
