//! Dependencies point one way.

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

use super::none;
use crate::repository;

/// Which of the workspace's packages a package may depend on.
const LAYERS: &[(&str, &[&str])] = &[
    ("callboard-macros", &[]),
    ("callboard-protocol", &["callboard-macros"]),
    ("callboard-cluster", &["callboard-protocol"]),
    ("callboard", &["callboard-macros", "callboard-protocol", "callboard-cluster"]),
    ("callboard-loadtest", &["callboard-protocol"]),
    ("guestbook", &["callboard"]),
    ("visitors", &["callboard"]),
    ("workload", &["callboard"]),
    ("xtask", &["callboard", "callboard-protocol", "callboard-cluster", "callboard-loadtest"]),
];

/// Only the node knows the HTTP server; xtask has the bare one that benchmarks need.
const KNOW_ACTIX: &[&str] = &["callboard", "xtask"];

fn packages() -> Vec<Package> {
    let mut command = MetadataCommand::new();
    command.manifest_path(repository::root().join("Cargo.toml")).no_deps();
    command.exec().expect("cargo knows the workspace").packages
}

#[test]
fn dependencies_point_one_way() {
    let packages = packages();
    let ours: Vec<_> = packages.iter().map(|package| package.name.to_string()).collect();
    let mut findings = Vec::new();
    for package in &packages {
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| **name == *package.name) else {
            findings.push(format!("{}: is in no layer; add it to LAYERS", package.name));
            continue;
        };
        let normal =
            package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
        for dependency in normal.filter(|dependency| ours.contains(&dependency.name)) {
            if !allowed.contains(&dependency.name.as_str()) {
                findings.push(format!("{} depends on {}", package.name, dependency.name));
            }
        }
    }
    none("a package depends on one that it may not know", &findings);
}

#[test]
fn only_the_node_knows_actix() {
    let mut findings = Vec::new();
    for package in packages() {
        let actix = package.dependencies.iter().filter(|dependency| dependency.name.starts_with("actix"));
        let actix = actix.filter(|dependency| dependency.kind == DependencyKind::Normal);
        findings.extend(
            actix
                .filter(|_| !KNOW_ACTIX.contains(&package.name.as_str()))
                .map(|dependency| format!("{} depends on {}", package.name, dependency.name)),
        );
    }
    none("actix outside of the node", &findings);
}

#[test]
fn versions_of_dependencies_stand_in_the_workspace_alone() {
    let findings: Vec<_> = super::texts(&["Cargo.toml"])
        .into_iter()
        // The fuzz targets are a workspace of their own.
        .filter(|(name, _)| name != "Cargo.toml" && !name.starts_with("protocol/fuzz/"))
        .flat_map(|(name, text)| {
            let table: toml::Table = text.parse().expect("cargo reads it, too");
            // A workspace of its own cannot take versions from ours.
            if table.contains_key("workspace") {
                return Vec::new();
            }
            let tables = ["dependencies", "dev-dependencies", "build-dependencies"]
                .map(|kind| table.get(kind).cloned());
            let dependencies =
                tables.into_iter().flatten().filter_map(|table| table.as_table().cloned()).flatten();
            dependencies
                .filter(|(_, how)| how.get("workspace").and_then(toml::Value::as_bool) != Some(true))
                .map(|(dependency, _)| format!("{name}: {dependency}"))
                .collect::<Vec<_>>()
        })
        .collect();
    none("write `x.workspace = true`, and the version in the root's Cargo.toml", &findings);
}
