//! What can be called, for tools: `actions --json` and `/actions` on the admin port.

use std::fmt;

use serde::Serialize;

use crate::{
    build_id::BuildId,
    registry::{RegisteredAction, Registry},
};

/// Every action, sorted by name.
#[derive(Serialize)]
pub(crate) struct Manifest {
    build: String,
    actions: Vec<ManifestAction>,
}

#[derive(Serialize)]
struct ManifestAction {
    reference: String,
    id: String,
    name: &'static str,
    location: &'static str,
    file: &'static str,
    line: u32,
    #[serde(rename = "crate")]
    krate: &'static str,
    guard: Option<&'static str>,
    class: &'static str,
    args: Vec<ManifestArgument>,
}

#[derive(Serialize)]
struct ManifestArgument {
    name: &'static str,
    #[serde(rename = "type")]
    type_name: &'static str,
    /// Captured at render time; clients do not send it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    bound: bool,
}

impl Manifest {
    pub(crate) fn of(registry: &Registry, build: BuildId) -> Self {
        Self { build: build.to_string(), actions: registry.actions().map(ManifestAction::of).collect() }
    }
}

impl ManifestAction {
    fn of(action: &'static RegisteredAction) -> Self {
        let entry = action.entry;
        let args = entry.arguments.iter();
        Self {
            reference: action.reference.to_string(),
            id: action.id.to_string(),
            name: entry.name,
            location: entry.location,
            file: entry.file,
            line: entry.line,
            krate: entry.krate,
            guard: entry.guard.as_ref().map(|guard| guard.name),
            class: entry.class.as_str(),
            args: args
                .map(|arg| ManifestArgument { name: arg.name, type_name: arg.type_name, bound: arg.bound })
                .collect(),
        }
    }
}

/// For people: a line per action.
impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for action in &self.actions {
            let guard = action.guard.unwrap_or("public");
            writeln!(f, "{}  {}  {guard}", action.name, action.class)?;
            writeln!(f, "    {}", action.reference)?;
            writeln!(f, "    {} at {}:{}", action.location, action.file, action.line)?;
            for arg in &action.args {
                let bound = if arg.bound { " (sealed in the page)" } else { "" };
                writeln!(f, "    {}: {}{bound}", arg.name, arg.type_name)?;
            }
        }
        Ok(())
    }
}
