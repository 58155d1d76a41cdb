//! The program, as it is started by whoever uses it.

use std::{ffi::OsStr, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, ChildStderr, Command},
};

/// What a command came to.
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) error: String,
}

impl Told {
    /// The results that it printed.
    pub(crate) fn results(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.error))
    }

    /// Promises that were broken, with how often.
    pub(crate) fn broken(&self) -> Vec<(String, u64)> {
        let results = self.results();
        let oracles = results["oracles"].as_array().expect("there are oracles").iter();
        let broken = oracles.filter(|oracle| oracle["violations"] != 0);
        broken
            .map(|oracle| {
                let name = oracle["name"].as_str().expect("it has a name").to_owned();
                (name, oracle["violations"].as_u64().expect("it is a count"))
            })
            .collect()
    }
}

/// Runs it with these arguments.
pub(crate) async fn loadtest(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Told {
    Running::start(arguments).end().await
}

/// The program while it runs.
pub(crate) struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    error: String,
}

impl Running {
    pub(crate) fn start(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        Self::start_with(&[], arguments)
    }

    /// With these variables in its environment.
    pub(crate) fn start_with(
        variables: &[(&str, &str)],
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callboard-loadtest"));
        command.env_remove("CALLBOARD_ADMIN_TOKEN").envs(variables.iter().copied());
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().expect("it starts");
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        Self { child, stderr, error: String::new() }
    }

    /// Waits until it has said this on standard error.
    pub(crate) async fn says(&mut self, words: &str) {
        while !self.error.contains(words) {
            let count = self.stderr.read_line(&mut self.error).await.expect("it prints text");
            assert!(count > 0, "it ended without {words:?}: {}", self.error);
        }
    }

    /// As Ctrl-C in a terminal does.
    pub(crate) fn interrupt(&self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(id.expect("it has not ended"), Signal::INT).expect("it may be sent signals");
    }

    pub(crate) async fn end(mut self) -> Told {
        let mut stdout = self.child.stdout.take().expect("it is piped");
        let mut out = String::new();
        // Both are read, so that neither fills its pipe.
        let (read, said) =
            tokio::join!(stdout.read_to_string(&mut out), self.stderr.read_to_string(&mut self.error));
        read.and(said).expect("it prints text");
        let status = self.child.wait().await.expect("it ends");
        Told { code: status.code(), out, error: self.error }
    }
}
