//! React's side, in a process of Node.js.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, bail};
use serde_json::{Value as Json, json};

use super::Task;
use crate::repository;

const SCRIPT: &str = "xtask/src/bench/wire/react.mjs";

/// A running Node.js that measures what it is asked to. Dropping it ends it.
pub(crate) struct React {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Versions of React and of Node.js.
    pub(crate) versions: String,
}

impl React {
    /// Starts it; installs React's packages if they are missing.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let packages = repository::root().join("tests");
        if !packages.join("node_modules/react-server-dom-webpack").is_dir() {
            let status =
                Command::new("npm").arg("ci").current_dir(&packages).status().context("cannot run npm")?;
            if !status.success() {
                bail!("npm ci failed in tests/");
            }
        }
        let mut child = Command::new("node")
            .arg("--conditions=react-server")
            .arg(repository::root().join(SCRIPT))
            .arg(packages)
            .arg(repository::root().join("protocol/tests/golden"))
            .env("NODE_ENV", "production")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run node")?;
        let questions = child.stdin.take().context("its input is piped")?;
        let answers = BufReader::new(child.stdout.take().context("its output is piped")?);
        let mut react = Self { child, questions, answers, versions: String::new() };
        let hello = react.line()?;
        react.versions = format!(
            "React {} under Node.js {}",
            hello["react"].as_str().unwrap_or_default(),
            hello["node"].as_str().unwrap_or_default()
        );
        Ok(react)
    }

    /// Nanoseconds of one run of a vector, or `None` where React cannot do it.
    pub(crate) fn measure(
        &mut self,
        task: Task,
        name: &str,
        milliseconds: u32,
    ) -> anyhow::Result<Option<f64>> {
        let question = json!({ "task": task.name(), "name": name, "milliseconds": milliseconds });
        writeln!(self.questions, "{question}").context("node has ended")?;
        Ok(self.line()?["ns"].as_f64())
    }

    fn line(&mut self) -> anyhow::Result<Json> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("{SCRIPT} has ended; it says why above");
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for React {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
