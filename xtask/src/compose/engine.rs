//! A Docker engine: the one that runs here, or one of our own that ends with us.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Context as _;

use super::files::{find, output};
use crate::cluster::process::{Process, leashed};

/// How long an engine may take to answer; it starts containerd first.
const START_MAX: Duration = Duration::from_mins(1);

/// How long it may take to stop.
const STOP_MAX: Duration = Duration::from_mins(1);

/// A Docker engine that answers, and what speaks to it.
pub(super) struct Engine {
    /// A `docker` that builds with `BuildKit`.
    docker: PathBuf,
    /// `docker-compose`, or nothing if it is a command of `docker`.
    compose: Option<PathBuf>,
    own: Option<Own>,
}

/// An engine that was started for this.
struct Own {
    process: Process,
    folder: tempfile::TempDir,
}

impl Engine {
    /// Finds one, or starts one, or says why there is none.
    pub(super) async fn find() -> anyhow::Result<Result<Self, String>> {
        let Some(docker) = builder() else {
            return Ok(Err("there is no docker that builds with BuildKit".to_owned()));
        };
        let compose = find("docker-compose");
        let mut engine = Self { docker, compose, own: None };
        if engine.compose.is_none()
            && output(Command::new(&engine.docker).args(["compose", "version"])).is_err()
        {
            return Ok(Err("neither docker-compose nor docker compose is installed".to_owned()));
        }
        if engine.answers() {
            return Ok(Ok(engine));
        }
        let Some(dockerd) = find("dockerd").filter(|_| is_root()) else {
            return Ok(Err(
                "no Docker engine answers; root could start one, if dockerd is installed".to_owned()
            ));
        };
        engine.own = Some(Own::start(&dockerd)?);
        if engine.started().await? {
            return Ok(Ok(engine));
        }
        Ok(Err(format!("no Docker engine can run here: {}", engine.last_words()?)))
    }

    /// A command of `docker`.
    pub(super) fn docker(&self) -> Command {
        let mut command = Command::new(&self.docker);
        self.prepare(&mut command);
        command
    }

    /// A command of compose.
    pub(super) fn compose(&self) -> Command {
        let Some(compose) = &self.compose else {
            let mut command = self.docker();
            command.arg("compose");
            return command;
        };
        let mut command = Command::new(compose);
        self.prepare(&mut command);
        // It builds by the `docker` that it finds first.
        let mut path = OsString::from(self.docker.parent().unwrap_or(Path::new("/usr/bin")));
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        command.env("PATH", path);
        command
    }

    fn prepare(&self, command: &mut Command) {
        command.env("DOCKER_BUILDKIT", "1");
        if let Some(own) = &self.own {
            command.env("DOCKER_HOST", format!("unix://{}", own.folder.path().join("socket").display()));
        }
    }

    fn answers(&self) -> bool {
        // A client whose engine does not answer prints about itself, and fails or not by its version.
        output(self.docker().args(["version", "--format", "{{.Server.Version}}"]))
            .is_ok_and(|version| !version.trim().is_empty())
    }

    /// Whether the engine that was started answers.
    async fn started(&mut self) -> anyhow::Result<bool> {
        let looks = START_MAX.as_millis() / LOOK.as_millis();
        for _ in 0..looks {
            if self.answers() {
                return Ok(true);
            }
            let own = self.own.as_mut().context("it was started")?;
            if own.process.status()?.is_some() {
                return Ok(false);
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(false)
    }

    /// The last lines that an engine of our own logged.
    fn last_words(&self) -> anyhow::Result<String> {
        let own = self.own.as_ref().context("it was started")?;
        let log = fs::read_to_string(own.folder.path().join("log"))?;
        let lines: Vec<_> = log.lines().rev().take(3).collect();
        Ok(lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }

    /// Stops it, if it is our own.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(own) = &mut self.own {
            own.process.stop(STOP_MAX).await?;
        }
        Ok(())
    }
}

/// How often one looks.
const LOOK: Duration = Duration::from_millis(500);

impl Own {
    fn start(dockerd: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("callboard-docker-").tempdir()?;
        let at = |name: &str| folder.path().join(name);
        let log = File::create(at("log"))?;
        let mut command = leashed(dockerd);
        command.arg("--data-root").arg(at("data")).arg("--exec-root").arg(at("exec"));
        command.arg("--pidfile").arg(at("pid")).arg("--host");
        command.arg(format!("unix://{}", at("socket").display()));
        command.stdout(log.try_clone()?).stderr(log);
        println!("starting a Docker engine …");
        let process = Process::start("dockerd".to_owned(), &mut command)?;
        Ok(Self { process, folder })
    }
}

pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A `docker` that builds with `BuildKit`: before version 23 by itself, then by its component buildx.
fn builder() -> Option<PathBuf> {
    let candidates = find("docker").into_iter().chain([PathBuf::from("/usr/bin/docker")]);
    candidates.filter(|path| path.is_file()).find(|docker| {
        let version = output(Command::new(docker).arg("--version")).unwrap_or_default();
        let major = version
            .trim_start_matches("Docker version ")
            .split('.')
            .next()
            .and_then(|text| text.parse::<u32>().ok());
        major.is_some_and(|major| (19..23).contains(&major))
            || output(Command::new(docker).args(["buildx", "version"])).is_ok()
    })
}
