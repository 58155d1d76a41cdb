//! A real Prometheus that scrapes three real nodes under load, and what it says to every query that `monitoring/` asks.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{boards::BOARDS, pictures};
use crate::{
    bench::{
        nodes::{NODES, Nodes},
        reference,
        server::{self, Server},
        store::Redis,
    },
    build::{self, Profile},
    repository,
};

/// How long a query may have no data: a rate needs two scrapes, and a rule two evaluations.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long Prometheus may take to start.
const START_MAX: Duration = Duration::from_secs(30);

/// Checks rules and alerts, then asks everything; and draws it, if it is told where.
pub(crate) fn run(workload: Option<PathBuf>, drawn_into: Option<&Path>) -> anyhow::Result<()> {
    let folder = repository::root().join("monitoring");
    promtool(&folder, &["check", "rules", "rules/recording.yaml", "rules/alerts.yaml"])?;
    promtool(&folder, &["test", "rules", "tests/alerts.yaml"])?;
    let workload = workload.map_or_else(|| build::program("workload", Profile::Release, &[]), Ok)?;
    let redis = Redis::start()?;
    let nodes = Nodes::start(workload, &redis)?;
    let prometheus = Prometheus::start(&folder, &nodes)?;
    let (is_over, queries) = (AtomicBool::new(false), queries(&folder)?);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| load(&nodes, &is_over));
        let answered = prometheus.answers_all(&queries).and_then(|()| match drawn_into {
            Some(folder) => pictures::status(folder, nodes.server(0)),
            None => Ok(()),
        });
        is_over.store(true, Ordering::Relaxed);
        load.join().expect("the load does not panic")?;
        answered
    })?;
    if let Some(folder) = drawn_into {
        // After the load, which would keep Prometheus and the browser from it.
        pictures::dashboards(folder, &prometheus.address)?;
    }
    let plots: usize = BOARDS.iter().map(|board| board.panels.len()).sum();
    println!(
        "{} queries of {plots} plots, the rules and the alerts have data; each alert fires and is silent",
        queries.len()
    );
    Ok(())
}

fn promtool(folder: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("promtool").args(arguments).current_dir(folder).output();
    let output = output.context("promtool is not installed (Debian: apt-get install prometheus)")?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("promtool {}: {}", arguments.join(" "), String::from_utf8_lossy(&said));
    }
    Ok(())
}

/// Everything that is asked: what is plotted, what is recorded, and each series that an alert looks at.
fn queries(folder: &Path) -> anyhow::Result<BTreeSet<String>> {
    let plotted = BOARDS.iter().flat_map(|board| board.panels).flat_map(|panel| panel.queries);
    let mut queries: BTreeSet<_> = plotted.map(|query| query.0.replace("$action", ".*")).collect();
    for file in ["recording.yaml", "alerts.yaml"] {
        let text = std::fs::read_to_string(folder.join("rules").join(file))?;
        let is_part = |character: char| character.is_ascii_alphanumeric() || "_:".contains(character);
        let words = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .flat_map(|line| line.split(|character| !is_part(character)));
        let series = |word: &&str| {
            ["callboard_", "callboard:", "process_"].iter().any(|start| word.starts_with(start))
        };
        queries.extend(words.filter(series).map(str::to_owned));
    }
    Ok(queries)
}

/// Calls and pages of every kind, on all nodes, until it is over.
fn load(nodes: &Nodes<'_>, is_over: &AtomicBool) -> anyhow::Result<()> {
    let calls = [
        ("echo", "[1]"),
        ("keyed_counter", r#"["k",0]"#),
        ("serial_counter", "[0]"),
        ("bump", r#"["t"]"#),
        ("fail", r#"["full"]"#),
    ];
    let references = calls.map(|(action, _)| reference(nodes.server(0), action));
    while !is_over.load(Ordering::Relaxed) {
        for place in 0..NODES {
            let address = &nodes.server(place).address;
            for ((_, body), reference) in calls.iter().zip(&references) {
                let reference = reference.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?;
                let headers = [("next-action", reference.as_str()), ("content-type", "text/plain")];
                let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
                server::request(address, "POST", "/", &headers, body)?;
            }
            for path in ["/page/100", "/page/100", "/tag/t", "/nothing"] {
                server::request(address, "GET", path, &[], "")?;
            }
        }
    }
    Ok(())
}

/// A running Prometheus; killed when dropped.
struct Prometheus {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may be gone already; then there is nothing to do.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Prometheus {
    fn start(monitoring: &Path, nodes: &Nodes<'_>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let admin = |place: usize| -> anyhow::Result<_> {
            let server: &Server = nodes.server(place);
            Ok(format!("{:?}", server.admin.as_deref().context("the node named no admin port")?))
        };
        let targets: Vec<_> = (0..NODES).map(admin).collect::<Result<_, _>>()?;
        let rules = monitoring.join("rules/*.yaml");
        let configuration = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [\"{}\"]\nscrape_configs:\n  - \
             job_name: callboard\n    static_configs: [{{ targets: [{}] }}]\n",
            rules.display(),
            targets.join(", ")
        );
        let file = folder.path().join("prometheus.yaml");
        std::fs::write(&file, configuration)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("prometheus is not installed (Debian: apt-get install prometheus)")?;
        let mut prometheus = Self { child, address, _folder: folder };
        let started = Instant::now();
        while !prometheus.is_ready() {
            if let Some(status) = prometheus.child.try_wait()? {
                bail!("prometheus ended at once, with {status}");
            }
            if started.elapsed() > START_MAX {
                bail!("prometheus does not answer on {}", prometheus.address);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(prometheus)
    }

    fn is_ready(&self) -> bool {
        server::request(&self.address, "GET", "/-/ready", &[], "").is_ok_and(|answer| answer.status == 200)
    }

    /// Returns once every query has data.
    fn answers_all(&self, queries: &BTreeSet<String>) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        let mut left: Vec<_> = queries.iter().collect();
        while !left.is_empty() {
            let mut without = Vec::new();
            for query in left {
                if !self.has_data(query)? {
                    without.push(query);
                }
            }
            left = without;
            if !left.is_empty() && Instant::now() >= until {
                let queries: Vec<_> = left.iter().map(|query| format!("\n  {query}")).collect();
                bail!("no data after {PATIENCE:?}:{}", queries.concat());
            }
        }
        Ok(())
    }

    fn has_data(&self, query: &str) -> anyhow::Result<bool> {
        let path = format!("/api/v1/query?query={}", escaped(query));
        let answer = server::request(&self.address, "GET", &path, &[], "")?;
        let said: Value = serde_json::from_slice(&answer.body)?;
        if said["status"] != "success" {
            bail!("{query}: {}", said["error"]);
        }
        // A rate of a histogram without observations is no number, and no data.
        let has_number = |sample: &Value| sample["value"][1].as_str().is_some_and(|number| number != "NaN");
        Ok(said["data"]["result"].as_array().is_some_and(|samples| samples.iter().any(has_number)))
    }
}

/// As a part of a URL's query.
pub(super) fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        write!(escaped, "%{byte:02X}").expect("writing to a string does not fail");
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_of_an_alert_is_asked_for() {
        let queries = queries(&repository::root().join("monitoring")).expect("they are there");
        for series in
            ["callboard_queue_age_seconds", "callboard:redis_duration_seconds:p99_5m", "process_open_fds"]
        {
            assert!(queries.contains(series), "{series}: {queries:?}");
        }
        assert!(queries.iter().all(|query| !query.contains("$action")));
    }
}
