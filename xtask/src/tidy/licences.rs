//! What `cargo deny` checks offline, for machines that do not have it. Both read `deny.toml`.

use cargo_metadata::{MetadataCommand, Package};

use super::none;
use crate::repository;

fn rules() -> toml::Table {
    let text = std::fs::read_to_string(repository::root().join("deny.toml")).expect("deny.toml is there");
    text.parse().expect("deny.toml is TOML")
}

/// Every package in the graph, with the features that the workspace asks for.
fn graph() -> Vec<Package> {
    let mut command = MetadataCommand::new();
    command.manifest_path(repository::root().join("Cargo.toml"));
    command.other_options(["--locked".to_owned(), "--filter-platform".to_owned(), host()]);
    let metadata = command.exec().expect("Cargo.lock is current");
    let used = metadata.resolve.expect("asked for").nodes;
    metadata.packages.into_iter().filter(|package| used.iter().any(|node| node.id == package.id)).collect()
}

fn host() -> String {
    let output = std::process::Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    text.lines().find_map(|line| line.strip_prefix("host: ")).expect("it names its host").to_owned()
}

#[test]
fn no_banned_crate_is_in_the_graph() {
    let rules = rules();
    let banned = rules["bans"]["deny"].as_array().expect("a list").clone();
    let mut findings = Vec::new();
    for package in graph() {
        for rule in &banned {
            let rule = rule["crate"].as_str().expect("a crate");
            let (name, version) = rule.split_once('@').unwrap_or((rule, "*"));
            // Of version requirements, the file uses `*` and `>=`.
            let banned = match version.strip_prefix(">=") {
                Some(from) => package.version >= from.parse().expect("a version"),
                None => version == "*",
            };
            if package.name.as_str() == name && banned {
                findings.push(format!("{} {}", package.name, package.version));
            }
        }
    }
    none("banned by deny.toml", &findings);
}

#[test]
fn every_licence_is_allowed() {
    let rules = rules();
    let allowed = rules["licenses"]["allow"].as_array().expect("a list").clone();
    let allowed: Vec<_> = allowed.iter().filter_map(toml::Value::as_str).collect();
    let findings: Vec<_> = graph()
        .into_iter()
        .filter(|package| !satisfied(package.license.as_deref().unwrap_or_default(), &allowed))
        .map(|package| format!("{} {}: {:?}", package.name, package.version, package.license))
        .collect();
    none("not allowed by deny.toml", &findings);
}

/// Whether an SPDX expression can be satisfied with these licences. `AND` binds closer than `OR`; brackets one deep.
fn satisfied(expression: &str, allowed: &[&str]) -> bool {
    let mut expression = expression.replace('/', " OR ");
    while let Some((start, end)) =
        expression.find('(').zip(expression.find(')')).filter(|(start, end)| start < end)
    {
        let inner = if satisfied(&expression[start + 1..end], allowed) { "yes" } else { "no" };
        expression.replace_range(start..=end, inner);
    }
    let licence = |name: &str| name == "yes" || allowed.contains(&name);
    expression.split(" OR ").any(|all| all.split(" AND ").map(str::trim).all(licence))
}

#[test]
fn an_expression_is_satisfied_as_spdx_says() {
    let allowed = ["MIT", "Unicode-3.0"];
    for yes in ["MIT", "MIT OR GPL-3.0", "GPL-3.0/MIT", "(MIT OR Apache-2.0) AND Unicode-3.0"] {
        assert!(satisfied(yes, &allowed), "{yes}");
    }
    for no in ["", "GPL-3.0", "MIT AND GPL-3.0", "(GPL-3.0 OR Apache-2.0) AND Unicode-3.0"] {
        assert!(!satisfied(no, &allowed), "{no}");
    }
}
