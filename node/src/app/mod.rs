//! An application: what it is called, what it shares, and how it runs.

mod cli;
mod commands;
mod healthcheck;
mod members;
mod serve;

use std::{future::Future, panic::Location, path::PathBuf, process::ExitCode};

use futures_util::{FutureExt as _, future::LocalBoxFuture};

pub use serve::Running;
#[cfg(test)]
pub(crate) use serve::start;

use crate::{
    registry::{ACTIONS, ActionEntry, PAGES, PageEntry},
    settings::Settings,
    state::State,
};

/// An application, before it runs.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     callboard::App::new("greeter").run()
/// }
/// ```
pub struct App {
    name: &'static str,
    /// The package that `App::new` was called in, by its folder.
    package: &'static str,
    allowed_crates: Vec<String>,
    state: State,
    setups: Vec<Setup>,
}

/// What an application gets to prepare its state.
#[derive(Clone, Debug)]
pub struct Start {
    /// Folder for what the application keeps between runs; it exists.
    pub state_dir: PathBuf,
    /// The node's settings.
    pub settings: Settings,
}

type SetupError = Box<dyn std::error::Error + Send + Sync>;
type Setup = Box<dyn FnOnce(Start) -> LocalBoxFuture<'static, Result<Install, SetupError>> + Send>;
type Install = Box<dyn FnOnce(&mut State)>;

impl App {
    /// An application with this name: lower-case letters, digits, `-` and `_`. It salts action ids where a key ring
    /// is configured, and names the state directory.
    ///
    /// # Panics
    ///
    /// If it is not such a name.
    #[must_use]
    #[track_caller]
    pub fn new(name: &'static str) -> Self {
        let fits =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        assert!(!name.is_empty() && name.bytes().all(fits), "{name:?}: use a-z, 0-9, - and _");
        Self {
            name,
            package: package_folder(Location::caller().file()),
            allowed_crates: Vec::new(),
            state: State::default(),
            setups: Vec::new(),
        }
    }

    /// Shares a value with actions, guards and pages, which find it by its type.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.state.insert(value);
        self
    }

    /// Prepares a shared value when the node starts: opens a database, reads a file. Where it fails, the node says
    /// so and does not start. Commands that only print do not run it.
    #[must_use]
    pub fn setup<T, E, F>(mut self, prepare: impl FnOnce(Start) -> F + Send + 'static) -> Self
    where
        T: Send + Sync + 'static,
        E: Into<SetupError>,
        F: Future<Output = Result<T, E>> + 'static,
    {
        self.setups.push(Box::new(move |start| {
            let preparing = prepare(start);
            async move {
                let value = preparing.await.map_err(Into::into)?;
                Ok(Box::new(move |state: &mut State| state.insert(value)) as Install)
            }
            .boxed_local()
        }));
        self
    }

    /// Lets clients call the actions of a dependency. Without this, what a dependency marks `#[action]` can be
    /// called by nobody: a new version of it opens no door.
    #[must_use]
    pub fn allow_actions_from(mut self, package: impl Into<String>) -> Self {
        self.allowed_crates.push(package.into());
        self
    }

    /// Runs the application's command line and gives the process' exit code: 0, or 1 after an error message;
    /// of `doctor` also 2, where it could look at nothing.
    ///
    /// A node that serves logs every panic of the process as a line like all others, by a panic hook of its own. Who wants
    /// another one sets it in [`App::setup`].
    #[must_use]
    pub fn run(self) -> ExitCode {
        cli::run(self)
    }

    /// The linked actions that may be called, and those of dependencies that may not.
    fn actions(&self) -> (Vec<&'static ActionEntry>, Vec<&'static ActionEntry>) {
        ACTIONS.iter().copied().partition(|entry| {
            package_folder(entry.file) == self.package
                || self.allowed_crates.iter().any(|name| name == entry.krate)
        })
    }
}

/// Every linked page.
fn pages() -> Vec<&'static PageEntry> {
    PAGES.iter().copied().collect()
}

/// The folder of the package that a source file belongs to, as far as its path tells: what stands before `src`,
/// `tests`, `examples` or `benches`. Files of one package agree on it, those of a dependency have another.
fn package_folder(file: &'static str) -> &'static str {
    let start = |folder: &str| {
        file.rfind(&format!("{folder}/")).filter(|at| *at == 0 || file.as_bytes()[at - 1] == b'/')
    };
    let end = ["src", "tests", "examples", "benches"].into_iter().filter_map(start).max();
    file[..end.unwrap_or(0)].trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_one_package_agree_on_its_folder() {
        assert_eq!(package_folder("src/main.rs"), "");
        assert_eq!(package_folder("examples/guestbook/src/main.rs"), "examples/guestbook");
        assert_eq!(package_folder("examples/guestbook/src/book/actions.rs"), "examples/guestbook");
        assert_eq!(package_folder("node/tests/it/main.rs"), "node");
        assert_eq!(
            package_folder("/home/u/.cargo/registry/src/index/dep-1.0.0/src/lib.rs"),
            "/home/u/.cargo/registry/src/index/dep-1.0.0"
        );
    }
}
