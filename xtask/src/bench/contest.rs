//! Two servers that do the same work, measured in turn.

use anyhow::bail;

use super::{
    server::{self, Answer, Server},
    wrk::{self, Driven},
};

/// What is asked of a server, over and over.
pub(crate) struct Target<'a> {
    pub(crate) server: &'a Server,
    pub(crate) method: &'static str,
    path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: &'static str,
    /// How many ask at once.
    pub(crate) connections: u32,
}

/// Enough for one server on a small machine.
const CONNECTIONS: u32 = 32;

impl<'a> Target<'a> {
    pub(crate) fn post(server: &'a Server, path: &str, body: &'static str) -> Self {
        let (path, headers) = (path.to_owned(), Vec::new());
        Self { server, method: "POST", path, headers, body, connections: CONNECTIONS }
    }

    pub(crate) fn get(server: &'a Server, path: &str) -> Self {
        Self { method: "GET", ..Self::post(server, path, "") }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn connections(self, connections: u32) -> Self {
        Self { connections, ..self }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}{}", self.server.address, self.path)
    }

    pub(crate) fn answer(&self) -> anyhow::Result<Answer> {
        let answer =
            server::request(&self.server.address, self.method, &self.path, &self.headers, self.body)?;
        if answer.status != 200 {
            bail!("{} answers {}: {}", self.url(), answer.status, String::from_utf8_lossy(&answer.body));
        }
        Ok(answer)
    }
}

/// A node beside a bare server, and the figures it is held against.
pub(crate) struct Contest<'a> {
    pub(crate) name: &'static str,
    pub(crate) node: Target<'a>,
    pub(crate) bare: Target<'a>,
    /// CPU ratio that holds today.
    pub(crate) cpu_now: f64,
    /// CPU ratio of the finished product.
    pub(crate) cpu_bar: f64,
    /// Throughput ratio of the finished product, where one is stated.
    pub(crate) throughput_bar: Option<f64>,
}

impl Contest<'_> {
    /// That both do the work that is going to be measured.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let bare = self.bare.answer()?;
        // Twice: the first request of a page renders it.
        self.node.answer()?;
        let node = self.node.answer()?;
        if self.node.method == "GET" {
            if node.body != bare.body {
                bail!("{}: the two servers give different bytes", self.name);
            }
            if !is_hit(&node) {
                bail!("{}: the page does not come from the cache", self.name);
            }
        } else if !String::from_utf8_lossy(&node.body).contains(r#""items":[1,2,3]"#) {
            bail!("{}: the node does not echo: {}", self.name, String::from_utf8_lossy(&node.body));
        }
        Ok(())
    }
}

/// Whether a page came from the cache.
pub(crate) fn is_hit(answer: &Answer) -> bool {
    answer.head.to_ascii_lowercase().contains("cache-status: callboard; hit\r\n")
}

/// One contestant in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) cpu_us_per_call: f64,
    pub(crate) calls_per_second: f64,
    pub(crate) driven: Driven,
}

/// Both contestants in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) node: Sample,
    pub(crate) bare: Sample,
}

impl Round {
    pub(crate) fn cpu_ratio(&self) -> f64 {
        self.node.cpu_us_per_call / self.bare.cpu_us_per_call
    }

    pub(crate) fn throughput_ratio(&self) -> f64 {
        self.node.calls_per_second / self.bare.calls_per_second
    }
}

/// Measures every contest in every round, after a warm-up; the rounds of each contest.
pub(crate) fn run(contests: &[Contest<'_>], rounds: u32, seconds: u32) -> anyhow::Result<Vec<Vec<Round>>> {
    for contest in contests {
        wrk::drive(&contest.bare, 1)?;
        wrk::drive(&contest.node, 1)?;
    }
    let mut results = vec![Vec::new(); contests.len()];
    for number in 1..=rounds {
        for (contest, results) in contests.iter().zip(&mut results) {
            let round =
                Round { bare: sample(&contest.bare, seconds)?, node: sample(&contest.node, seconds)? };
            println!(
                "round {number}: {}: {:.2} / {:.2} us per call = {:.3}, {:.0} / {:.0} calls per second = {:.3}",
                contest.name,
                round.node.cpu_us_per_call,
                round.bare.cpu_us_per_call,
                round.cpu_ratio(),
                round.node.calls_per_second,
                round.bare.calls_per_second,
                round.throughput_ratio(),
            );
            results.push(round);
        }
    }
    Ok(results)
}

/// What it costs to answer, over and over.
pub(crate) fn sample(target: &Target<'_>, seconds: u32) -> anyhow::Result<Sample> {
    let before = target.server.cpu_time()?;
    let driven = wrk::drive(target, seconds)?;
    let used = target.server.cpu_time()?.saturating_sub(before);
    if driven.answers < 1.0 {
        bail!("{} answered nothing", target.url());
    }
    Ok(Sample {
        cpu_us_per_call: used.as_secs_f64() * 1e6 / driven.answers,
        calls_per_second: driven.answers / driven.seconds,
        driven,
    })
}

/// User-space instructions per call, node and bare, where this machine can count them.
pub(crate) fn instructions(
    contests: &[Contest<'_>],
    seconds: u32,
) -> anyhow::Result<Vec<Option<(f64, f64)>>> {
    let count = |contest: &Contest<'_>| -> anyhow::Result<Option<(f64, f64)>> {
        let Some(node) = instructions_of(&contest.node, seconds)? else { return Ok(None) };
        Ok(instructions_of(&contest.bare, seconds)?.map(|bare| (node, bare)))
    };
    contests.iter().map(count).collect()
}

/// Outside the measured rounds: counting costs something itself.
fn instructions_of(target: &Target<'_>, seconds: u32) -> anyhow::Result<Option<f64>> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("target.lua");
    std::fs::write(&script, wrk::script(target))?;
    let counts = folder.path().join("counts");
    let output = std::process::Command::new("perf")
        .args(["stat", "-x,", "-e", "instructions:u", "-p", &target.server.id().to_string(), "-o"])
        .arg(&counts)
        .arg("--")
        .args(wrk::command(target, &script, seconds))
        .output();
    // Not installed, not allowed, or a machine without counters: all the same here.
    let Ok(output) = output else { return Ok(None) };
    let counts = std::fs::read_to_string(counts).unwrap_or_default();
    let count =
        counts.lines().find(|line| line.contains("instructions")).and_then(|line| line.split(',').next());
    let Some(count) = count.and_then(|count| count.parse::<f64>().ok()).filter(|count| *count > 0.0) else {
        return Ok(None);
    };
    let driven = wrk::parse(&String::from_utf8_lossy(&output.stdout))?;
    Ok(Some(count / driven.answers))
}
