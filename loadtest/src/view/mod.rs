//! What a person sees while the load runs, and what a command says at its end. The only place of this crate that prints.

mod lines;
mod screen;
mod snapshot;
mod terminal;

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use tokio::sync::watch;

pub(crate) use snapshot::{HISTORY_MAX, Phase, Snapshot, TargetState, TargetView};

use crate::report::Told;

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A screen that changes.
    Screen,
    /// A line now and then.
    Lines,
    Quiet,
}

impl Mode {
    /// What fits standard error, where all of it goes.
    #[must_use]
    pub(crate) fn fitting(is_quiet: bool) -> Self {
        match is_quiet {
            true => Self::Quiet,
            false
                if io::stderr().is_terminal()
                    && std::env::var_os("TERM").is_none_or(|term| term != "dumb") =>
            {
                Self::Screen
            }
            false => Self::Lines,
        }
    }
}

/// Set when the run should end early, by whoever asks for it: the report is then labelled as one of a part.
#[derive(Clone, Debug, Default)]
pub(crate) struct EndEarly(Arc<AtomicBool>);

impl EndEarly {
    /// Asks for it.
    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has.
    #[must_use]
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Shows a run, on a thread of its own, so that drawing never delays a request.
#[derive(Debug)]
pub(crate) struct View {
    thread: Option<JoinHandle<()>>,
}

impl View {
    /// Begins. It ends when the sender of the snapshots is gone; [`View::end`] waits for that.
    ///
    /// # Errors
    ///
    /// If there can be no other thread.
    pub(crate) fn begin(mode: Mode, snapshots: watch::Receiver<Snapshot>, end: EndEarly) -> io::Result<Self> {
        if mode == Mode::Quiet {
            return Ok(Self { thread: None });
        }
        let show = move || {
            // A terminal that cannot be drawn on still takes lines.
            if mode == Mode::Lines || terminal::show(&snapshots, &end).is_err() {
                lines::show(snapshots);
            }
        };
        let thread = std::thread::Builder::new().name("view".to_owned()).spawn(show)?;
        Ok(Self { thread: Some(thread) })
    }

    /// Waits until the terminal is as it was. The sender of the snapshots has to be gone.
    pub(crate) fn end(self) {
        if let Some(thread) = self.thread {
            // Its panic was shown when it happened, and says nothing of the run.
            let _ = thread.join();
        }
    }
}

/// Says what a command came to: 0 if it passes, 1 if not, 2 if it could not be done.
#[must_use]
pub(crate) fn tell(told: anyhow::Result<Told>) -> ExitCode {
    match told {
        Ok(told) => {
            say(&told.text);
            for file in &told.written {
                note(&format!("wrote {}", file.display()));
            }
            for problem in &told.problems {
                note(&format!("error: {problem}"));
            }
            match (told.problems.is_empty(), told.passes) {
                (false, _) => ExitCode::from(2),
                (true, true) => ExitCode::SUCCESS,
                (true, false) => ExitCode::from(1),
            }
        }
        Err(error) => {
            note(&format!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Standard output, for what is the purpose of a command. Whoever closed it does not want to read on.
pub(crate) fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Standard error, for what goes beside it.
pub(crate) fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
