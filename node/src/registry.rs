//! What can be called and rendered: found at link time, checked at start, fixed afterwards.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use callboard_protocol::{
    KeyRing,
    action_id::{ActionId, InfoByte},
    de::DeError,
    reference::ActionReference,
};
use futures_util::future::LocalBoxFuture;

use crate::{
    Action,
    arguments::CallArguments,
    context::{ActionContext, GuardContext, PageContext, Principal, Refusal},
    metrics::OTHER,
    output::{Ran, Rendered},
};

/// Every `#[action]` that is linked into this binary.
#[linkme::distributed_slice]
#[allow(unsafe_code)] // linkme's section attribute
pub static ACTIONS: [&'static ActionEntry];

/// Every `#[page]` that is linked into this binary.
#[linkme::distributed_slice]
#[allow(unsafe_code)] // linkme's section attribute
pub static PAGES: [&'static PageEntry];

/// What `#[action]` knows of a function.
pub struct ActionEntry {
    /// Its identity: `crate::module::function`, or the `name` it was given.
    pub name: &'static str,
    /// `crate::module::function`.
    pub location: &'static str,
    /// Source file, as the compiler saw it.
    pub file: &'static str,
    /// Line of the function's name.
    pub line: u32,
    /// Package that holds it.
    pub krate: &'static str,
    /// Which arguments clients send.
    pub info: u8,
    /// Who may call it; `None` means everybody.
    pub guard: Option<Guard>,
    /// Which calls wait for each other.
    pub class: Class,
    /// Its parameters, without the context.
    pub arguments: &'static [ArgumentEntry],
    /// How long the client waits for it; `None` means the node's setting.
    pub timeout: Option<Duration>,
    /// The largest body it takes, in bytes; `None` means the node's setting.
    pub body_bytes_max: Option<usize>,
    /// Whether running it twice is the same as once.
    pub idempotent: bool,
    /// Tags that are stale after every run of it.
    pub revalidates: &'static [&'static str],
    /// Decodes the arguments and runs it.
    pub run: fn(ActionContext, CallArguments) -> LocalBoxFuture<'static, Ran>,
}

/// Turns a request into a principal, or refuses it.
pub struct Guard {
    /// The path written in the attribute.
    pub name: &'static str,
    /// The function.
    pub check: for<'a> fn(&'a GuardContext) -> LocalBoxFuture<'a, Result<Principal, Refusal>>,
}

/// Which calls of an action wait for each other.
pub enum Class {
    /// None.
    Plain,
    /// Those with the same key, in order of arrival.
    Keyed(fn(&CallArguments) -> Result<String, DeError>),
    /// All, in order of arrival.
    Serial,
}

impl Class {
    /// The name in the manifest.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Keyed(_) => "keyed",
            Self::Serial => "serial",
        }
    }
}

/// One parameter of an action.
pub struct ArgumentEntry {
    /// Its name.
    pub name: &'static str,
    /// Its Rust type, as written.
    pub type_name: &'static str,
    /// Whether it is captured at render time and sealed.
    pub bound: bool,
}

/// What `#[page]` knows of a function.
pub struct PageEntry {
    /// Route, such as `/posts/{id}`.
    pub pattern: &'static str,
    /// `crate::module::function`.
    pub location: &'static str,
    /// Source file, as the compiler saw it.
    pub file: &'static str,
    /// Line of the function's name.
    pub line: u32,
    /// Tags that every render carries.
    pub tags: &'static [&'static str],
    /// How long a render may be served; `None` means until it is revalidated.
    pub ttl: Option<Duration>,
    /// For how long after that it is served while a new one is made.
    pub stale_while_revalidate: Option<Duration>,
    /// For how long after its time to live it is served in place of one that fails.
    pub stale_if_error: Option<Duration>,
    /// What a node does that cannot know whether its renders are fresh.
    pub fenced: Fenced,
    /// Whether renders are kept at all.
    pub cached: bool,
    /// Renders it.
    pub render: for<'a> fn(&'a PageContext) -> LocalBoxFuture<'a, Rendered>,
}

/// What a node does that has no lease on the log of revalidations: it cannot know whether its renders are fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fenced {
    /// It renders for whoever asks.
    Render,
    /// It answers 503.
    Refuse,
    /// It serves what it knows of no revalidation of, and says so.
    Stale,
}

/// An action of this application, with the names that clients know it by.
pub(crate) struct RegisteredAction {
    pub(crate) entry: &'static ActionEntry,
    pub(crate) id: ActionId,
    /// What it is counted under: its name, or one that it shares with others.
    pub(crate) label: &'static str,
    pub(crate) reference: ActionReference,
    /// Calls that run now.
    pub(crate) running: AtomicUsize,
    /// What became of the runs on this node.
    pub(crate) ran: RunCount,
}

/// Runs of one action that ended on this node.
#[derive(Debug, Default)]
pub(crate) struct RunCount {
    pub(crate) runs: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) micros: AtomicU64,
}

impl RunCount {
    pub(crate) fn add(&self, took: Duration, is_failed: bool) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_add(u64::from(is_failed), Ordering::Relaxed);
        self.micros.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
    }
}

/// Everything that can be called or rendered.
pub(crate) struct Registry {
    /// By id. Leaked: there is one registry a process, and calls refer to their action from any thread.
    actions: HashMap<ActionId, &'static RegisteredAction>,
    by_name: BTreeMap<&'static str, &'static RegisteredAction>,
    pages: matchit::Router<&'static PageEntry>,
    page_count: usize,
    /// The routes that are counted under their own names.
    labelled_pages: HashSet<&'static str>,
    labels_max: usize,
}

/// Why the application cannot start.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RegistryError {
    #[error("two actions are named {name:?}: {first} and {second}; give one of them another `name`")]
    SameName { name: &'static str, first: String, second: String },
    #[error("two pages are at {pattern:?}, or one hides the other: {first} and {second}")]
    SamePage { pattern: &'static str, first: String, second: String },
    #[error("{location}: {pattern:?} is not a route: {reason}")]
    Route { pattern: &'static str, location: String, reason: String },
}

impl Registry {
    /// Checks what was linked in and names it with these keys. As many as `labels_max` actions, and pages, are counted each
    /// under its own name: the first by name.
    ///
    /// # Errors
    ///
    /// Two things of one name, with both places; a route that is none.
    pub(crate) fn new(
        actions: impl IntoIterator<Item = &'static ActionEntry>,
        pages: impl IntoIterator<Item = &'static PageEntry>,
        salt: &[u8],
        keys: &KeyRing,
        labels_max: usize,
    ) -> Result<Self, RegistryError> {
        let mut registry = Self {
            actions: HashMap::new(),
            by_name: BTreeMap::new(),
            pages: matchit::Router::new(),
            page_count: 0,
            labelled_pages: HashSet::new(),
            labels_max,
        };
        let mut actions: Vec<_> = actions.into_iter().collect();
        actions.sort_by_key(|entry| (entry.name, entry.location));
        for entry in actions {
            registry.add_action(entry, salt, keys)?;
        }
        let mut pages: Vec<_> = pages.into_iter().collect();
        // Link order is unspecified; messages are not.
        pages.sort_by_key(|entry| (entry.pattern, entry.location));
        for entry in &pages {
            registry.add_page(entry, &pages)?;
        }
        Ok(registry)
    }

    fn add_action(
        &mut self,
        entry: &'static ActionEntry,
        salt: &[u8],
        keys: &KeyRing,
    ) -> Result<(), RegistryError> {
        if let Some(other) = self.by_name.get(entry.name) {
            let mut places = [(other.entry.file, other.entry.line), (entry.file, entry.line)];
            places.sort_unstable();
            let [first, second] = places.map(|(file, line)| place(file, line));
            return Err(RegistryError::SameName { name: entry.name, first, second });
        }
        let info = InfoByte::from_byte(entry.info).expect("the attribute sets the lower seven bits");
        let id = ActionId::derive(salt, entry.name, info);
        let reference = ActionReference::sign(keys, id);
        let label = if self.by_name.len() < self.labels_max { entry.name } else { OTHER };
        let registered: &'static _ = Box::leak(Box::new(RegisteredAction {
            entry,
            id,
            label,
            reference,
            running: AtomicUsize::new(0),
            ran: RunCount::default(),
        }));
        self.actions.insert(id, registered);
        self.by_name.insert(entry.name, registered);
        Ok(())
    }

    /// How many values a label has that names an action or a page.
    pub(crate) fn labels(&self) -> usize {
        // What the rest share, and what stands for none, come on top.
        self.by_name.len().max(self.page_count).min(self.labels_max) + 2
    }

    /// What a page is counted under: its route, or what it shares with others.
    pub(crate) fn page_label(&self, page: &'static PageEntry) -> &'static str {
        if self.labelled_pages.contains(page.pattern) { page.pattern } else { OTHER }
    }

    fn add_page(
        &mut self,
        entry: &'static PageEntry,
        all: &[&'static PageEntry],
    ) -> Result<(), RegistryError> {
        let location = place(entry.file, entry.line);
        self.page_count += 1;
        if self.page_count <= self.labels_max {
            self.labelled_pages.insert(entry.pattern);
        }
        match self.pages.insert(entry.pattern, entry) {
            Ok(()) => Ok(()),
            Err(matchit::InsertError::Conflict { with }) => {
                let other = all.iter().find(|other| other.pattern == with && !std::ptr::eq(**other, entry));
                let first = other.map_or(with, |other| place(other.file, other.line));
                Err(RegistryError::SamePage { pattern: entry.pattern, first, second: location })
            }
            Err(error) => {
                Err(RegistryError::Route { pattern: entry.pattern, location, reason: error.to_string() })
            }
        }
    }

    /// The action with this id.
    pub(crate) fn action(&self, id: &ActionId) -> Option<&'static RegisteredAction> {
        self.actions.get(id).copied()
    }

    /// The action that a page or a test names.
    pub(crate) fn of(&self, action: &impl Action) -> Option<&'static RegisteredAction> {
        self.by_name.get(action.entry().name).copied()
    }

    /// Every action, by name.
    pub(crate) fn actions(&self) -> impl ExactSizeIterator<Item = &'static RegisteredAction> + '_ {
        self.by_name.values().copied()
    }

    /// How many pages there are.
    pub(crate) fn page_count(&self) -> usize {
        self.page_count
    }

    /// The page at this path, with its parameters.
    pub(crate) fn page(&self, path: &str) -> Option<(&'static PageEntry, Vec<(String, String)>)> {
        let found = self.pages.at(path).ok()?;
        let parameters =
            found.params.iter().map(|(name, text)| (name.to_owned(), percent_decoded(text))).collect();
        Some((found.value, parameters))
    }
}

fn place(file: &str, line: u32) -> String {
    format!("{file}:{line}")
}

/// A path segment as a person means it; one that is not UTF-8 after decoding stays as it was sent.
fn percent_decoded(text: &str) -> String {
    crate::cookies::decode(text)
}
