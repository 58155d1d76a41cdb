//! The services whose images can be made, brought up by compose as docker-compose.yml has them.

use std::{fs, net::TcpListener, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context as _, bail};
use rustix::process::{Resource, getrlimit};
use serde_json::{Map, Value, json};

use super::{FILE, engine::Engine, files::output, stand_in::Images, yaml};
use crate::cluster::http::get;

/// How long everything may take to be healthy once it is started. What is slow is `PostgreSQL` that makes its database.
const HEALTHY_MAX: Duration = Duration::from_mins(3);

/// How long Prometheus may take to have read every target.
const SCRAPED_MAX: Duration = Duration::from_mins(1);

/// How often one looks.
const LOOK: Duration = Duration::from_millis(500);

const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];

/// Taken down when dropped.
pub(super) struct Stack<'a> {
    engine: &'a Engine,
    project: String,
    compose: Value,
    /// What differs from docker-compose.yml, in a file of its own.
    overlay: PathBuf,
    _folder: tempfile::TempDir,
    balancer: String,
    prometheus: String,
    nodes: Vec<(&'static str, String)>,
}

impl<'a> Stack<'a> {
    pub(super) fn new(engine: &'a Engine) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let nodes = NODES.map(|name| Ok((name, free_address()?)));
        let nodes = nodes.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        let stack = Self {
            engine,
            project: format!("callboard-check-{}", std::process::id()),
            compose: yaml::document(FILE)?,
            overlay: folder.path().join("overlay.yaml"),
            _folder: folder,
            balancer: free_address()?,
            prometheus: free_address()?,
            nodes,
        };
        // JSON is YAML.
        fs::write(&stack.overlay, overlay(&stack).to_string())?;
        Ok(stack)
    }

    /// What is brought up.
    pub(super) fn services() -> Vec<&'static str> {
        Images::SERVICES.into_iter().map(|(name, _)| name).chain(NODES).collect()
    }

    /// What is not, with its image.
    pub(super) fn left_out(&self) -> Vec<(&str, &str)> {
        let all = self.compose["services"].as_object().into_iter().flatten();
        all.filter(|(name, _)| !Self::services().contains(&name.as_str()))
            .map(|(name, service)| (name.as_str(), service["image"].as_str().unwrap_or("its image")))
            .collect()
    }

    pub(super) fn balancer(&self) -> &str {
        &self.balancer
    }

    /// Each node, and where it serves pages besides the load balancer.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.nodes.iter().map(|(name, address)| (*name, address.as_str()))
    }

    fn compose(&self) -> Command {
        let mut command = self.engine.compose();
        command.args(["--project-name", &self.project, "--file", FILE, "--file"]).arg(&self.overlay);
        command.env("GUESTBOOK_PORT", port(&self.balancer)).env("PROMETHEUS_PORT", port(&self.prometheus));
        for number in 1..=NODES.len() {
            command.env(format!("ADMIN_{number}_PORT"), "0");
        }
        command
    }

    /// Starts everything, and returns once all of it is healthy.
    pub(super) async fn up(&self) -> anyhow::Result<()> {
        let mut command = self.compose();
        command.args(["up", "--detach", "--build"]).args(Self::services());
        let up = match output(&mut command) {
            Ok(_) => self.healthy().await,
            Err(error) => Err(error),
        };
        up.with_context(|| {
            output(self.compose().args(["logs", "--no-color", "--tail", "40"])).unwrap_or_default()
        })
    }

    async fn healthy(&self) -> anyhow::Result<()> {
        for service in Self::services() {
            let id = output(self.compose().args(["ps", "--quiet", service]))?;
            let mut health = String::new();
            for _ in 0..HEALTHY_MAX.as_millis() / LOOK.as_millis() {
                let format = "--format={{.State.Status}} {{.State.Health.Status}}";
                health = output(self.engine.docker().args(["inspect", format, id.trim()]))?;
                if health.trim() != "running starting" {
                    break;
                }
                tokio::time::sleep(LOOK).await;
            }
            anyhow::ensure!(health.trim() == "running healthy", "{service} is {}", health.trim());
        }
        Ok(())
    }

    /// What `doctor` says in the container of a node: that there is no problem, and that Redis is set up as it has to be. How
    /// fast this machine is today may be worth a warning.
    pub(super) fn doctor(&self) -> anyhow::Result<String> {
        let program = "/usr/local/bin/application";
        let said = output(self.compose().args(["exec", "-T", "node-1", program, "doctor"]))?;
        for subject in ["redis", "version", "scripts", "eviction", "persistence"] {
            let fine = |line: &str| line.split_whitespace().take(2).eq(["ok", subject]);
            anyhow::ensure!(said.lines().any(fine), "doctor finds something about {subject}:\n{said}");
        }
        Ok(said)
    }

    /// Waits until Prometheus has read the load balancer and the admin port of every node; gives what it reads of these.
    pub(super) async fn scraped(&self) -> anyhow::Result<Vec<String>> {
        let mut wanted = vec!["balancer:8404".to_owned()];
        wanted.extend(NODES.map(|node| format!("{node}:3001")));
        let mut up = Vec::new();
        for _ in 0..SCRAPED_MAX.as_millis() / LOOK.as_millis() {
            up = self.targets_up().await?;
            if wanted.iter().all(|target| up.contains(target)) {
                return Ok(wanted);
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("Prometheus reads {}, and was to read {}", up.join(", "), wanted.join(", "))
    }

    /// What Prometheus reads, by the addresses that it was given.
    async fn targets_up(&self) -> anyhow::Result<Vec<String>> {
        let answer = get(&self.prometheus, "/api/v1/query?query=up==1").await?;
        let answer: Value = serde_json::from_slice(&answer.body)?;
        let series = answer["data"]["result"].as_array().context("Prometheus does not answer the query")?;
        let instances = series.iter().filter_map(|one| one["metric"]["instance"].as_str());
        Ok(instances.map(str::to_owned).collect())
    }
}

impl Drop for Stack<'_> {
    fn drop(&mut self) {
        let mut command = self.compose();
        if let Err(error) = output(command.args(["down", "--volumes", "--remove-orphans"])) {
            eprintln!("cannot take it down: {error:#}");
        }
    }
}

/// What is different from docker-compose.yml: images, ports of the nodes, and what this machine cannot give.
fn overlay(stack: &Stack<'_>) -> Value {
    let mut services = Map::new();
    for (name, entrypoint) in Images::SERVICES {
        let mut service = json!({ "image": Images::STAND_IN });
        if let Some(entrypoint) = entrypoint {
            service["entrypoint"] = json!([entrypoint]);
        }
        services.insert(name.to_owned(), service);
    }
    for (name, address) in &stack.nodes {
        let service = json!({
            "image": Images::NODE,
            "ports": [format!("{address}:3000")],
            "ulimits": { "nofile": files_max() },
        });
        services.insert((*name).to_owned(), service);
    }
    services[NODES[0]]["build"] =
        json!({ "args": { "RUNTIME_IMAGE": Images::STAND_IN, "BUILT": Images::BUILT } });
    json!({ "services": services })
}

/// As many open files as docker-compose.yml asks for, or fewer if an engine of our own may not give them.
fn files_max() -> u64 {
    const ASKED: u64 = 65_536;
    getrlimit(Resource::Nofile).maximum.map_or(ASKED, |maximum| maximum.min(ASKED))
}

/// An address of this machine with a port that is free at the moment.
fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

fn port(address: &str) -> &str {
    address.rsplit(':').next().unwrap_or_default()
}
