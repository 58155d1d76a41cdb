//! Images of Debian's packages, in place of those that registries have.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use super::{
    engine::{Engine, is_root},
    files::{find, output},
};
use crate::repository;

/// What the image in place of all others has.
const PACKAGES: &str = "ca-certificates,haproxy,postgresql,prometheus,redis-server";

/// The packages, for the image in place of others to be made of.
const DEBIAN: &str = "callboard-check/debian";

/// What was made; removed when dropped.
pub(super) struct Images<'a> {
    engine: &'a Engine,
}

impl Images<'_> {
    /// In place of the image of each of the services below, and the base of the node's.
    pub(super) const STAND_IN: &'static str = "callboard-check/stand-in";
    /// The application and its state directory, as the first stage of the Dockerfile would have made them.
    pub(super) const BUILT: &'static str = "callboard-check/built";
    /// What compose makes of both with the Dockerfile.
    pub(super) const NODE: &'static str = "callboard-check/guestbook";

    /// Services whose image can be made, and what they are started by where that is another file than in theirs.
    pub(super) const SERVICES: [(&'static str, Option<&'static str>); 4] = [
        ("balancer", None),
        ("postgres", Some("/usr/local/bin/stand-in-postgres")),
        ("prometheus", None),
        ("redis", None),
    ];
}

impl Drop for Images<'_> {
    fn drop(&mut self) {
        let all = [Self::NODE, Self::BUILT, Self::STAND_IN, DEBIAN];
        if let Err(error) = output(self.engine.docker().args(["image", "rm", "--force"]).args(all)) {
            eprintln!("cannot remove images: {error:#}");
        }
    }
}

/// Makes them.
pub(super) fn make<'a>(engine: &'a Engine, program: &Path) -> anyhow::Result<Images<'a>> {
    let images = Images { engine };
    let import = |archive: &Path, name: &str| output(engine.docker().arg("import").arg(archive).arg(name));
    import(&debian()?, DEBIAN)?;
    let folder = "xtask/src/compose/stand_in";
    output(engine.docker().args(["build", "--quiet", "--tag", Images::STAND_IN, folder]))?;
    import(&built(program)?, Images::BUILT)?;
    Ok(images)
}

/// An archive of a Debian with the packages; the one of an earlier check, if there is one.
fn debian() -> anyhow::Result<PathBuf> {
    let release = release()?;
    let folder = repository::root().join("target/compose-check");
    let archive = folder.join(format!("debian-{release}.tar"));
    if archive.is_file() {
        return Ok(archive);
    }
    anyhow::ensure!(is_root(), "only root can make an image of Debian's packages");
    let debootstrap = find("debootstrap").context("debootstrap is missing: install it")?;
    fs::create_dir_all(&folder)?;
    // Beside the archive, as some temporary folders may hold no devices.
    let root = tempfile::tempdir_in(&folder)?;
    println!("installing {PACKAGES} of Debian {release} into a folder …");
    let include = format!("--include={PACKAGES}");
    output(Command::new(debootstrap).args(["--variant=minbase", &include, &release]).arg(root.path()))?;
    // Under another name first: an archive of half of it would be taken for whole.
    let partial = folder.join("partial.tar");
    let excluded = ["--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*"];
    output(
        Command::new("tar")
            .arg("--create")
            .args(excluded)
            .arg("--file")
            .arg(&partial)
            .arg("--directory")
            .arg(root.path())
            .arg("."),
    )?;
    fs::rename(&partial, &archive)?;
    Ok(archive)
}

/// The release of this machine, if it is Debian: what was compiled here needs its C library, or a later one.
fn release() -> anyhow::Result<String> {
    let about = fs::read_to_string("/etc/os-release").context("cannot tell which system this is")?;
    let value = |name: &str| {
        let line = about.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    let debian = value("ID").is_some_and(|id| id == "debian");
    Ok(value("VERSION_CODENAME").filter(|_| debian).unwrap_or_else(|| "trixie".to_owned()))
}

/// An archive of what the first stage of the Dockerfile makes.
fn built(program: &Path) -> anyhow::Result<PathBuf> {
    let folder = repository::root().join("target/compose-check");
    let out = folder.join("built/out");
    fs::create_dir_all(out.join("state"))?;
    fs::copy(program, out.join("application")).with_context(|| program.display().to_string())?;
    let archive = folder.join("built.tar");
    let root = folder.join("built");
    output(
        Command::new("tar")
            .arg("--create")
            .arg("--file")
            .arg(&archive)
            .arg("--directory")
            .arg(root)
            .arg("out"),
    )?;
    Ok(archive)
}
