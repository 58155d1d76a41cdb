//! Sizes past which one asks whether it is still one concept, and what may print.

use super::{none, texts};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// Files and functions that are longer, each with its length. It may only get shorter.
const RATCHET: &[(&str, usize)] = &[];

/// Where printing is the purpose.
const PRINTS: &[&str] = &[
    "cluster/tests/sim/",
    "cluster/tests/cache_sim/",
    "cluster/tests/simulation/",
    "loadtest/src/main.rs",
    "loadtest/src/view/",
    "examples/workload/tests/upload.rs",
    "node/src/app/",
    "protocol/benches/",
    "protocol/examples/",
    "protocol/fuzz/examples/",
    "protocol/tests/cost/",
    "xtask/src/",
];

#[test]
fn no_file_and_no_function_is_too_long() {
    let mut long = Vec::new();
    for (name, text) in texts(&[".rs"]) {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            long.push((name.clone(), lines));
        }
        let functions = functions(&text).into_iter().filter(|(_, lines)| *lines > FUNCTION_LINES_MAX);
        long.extend(functions.map(|(function, lines)| (format!("{name}: {function}"), lines)));
    }
    long.retain(|(name, lines)| !RATCHET.iter().any(|(known, max)| known == name && lines <= max));
    let findings: Vec<_> = long.iter().map(|(name, lines)| format!("{name}: {lines} lines")).collect();
    none("longer than 500 (file) or 70 (function): split it by reason to change", &findings);
}

/// Name and length of every function. Formatted code closes one at the indentation that it opened at.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let Some(name) = function_name(code) else { continue };
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        let opens_and_closes = code.ends_with(';') || code.ends_with('}');
        if let Some(length) =
            lines[start..].iter().position(|line| *line == end).filter(|_| !opens_and_closes)
        {
            found.push((name.to_owned(), length + 1));
        }
    }
    found
}

fn function_name(code: &str) -> Option<&str> {
    let (before, after) = code.split_once("fn ")?;
    let words = ["pub", "const", "async", "unsafe", "extern", "default"];
    let fits = |word: &str| words.contains(&word) || word.starts_with("pub(") || word.ends_with(')');
    before.split_whitespace().all(fits).then(|| after.split(['(', '<']).next()).flatten()
}

#[test]
fn the_length_of_a_function_runs_to_its_own_bracket() {
    let text = "impl X {\n    pub(crate) async fn long(\n        a: u8,\n    ) {\n        if a {\n        }\n    }\n\n    fn short() {}\n}\n";
    assert_eq!(functions(text), [("long".to_owned(), 6)]);
}

#[test]
fn only_commands_print() {
    let mut findings = Vec::new();
    for (name, text) in texts(&[".rs"]) {
        if PRINTS.iter().any(|place| name.starts_with(place)) {
            continue;
        }
        for (place, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if ["print", "println", "eprint", "eprintln", "dbg"].iter().any(|name| calls(code, name)) {
                findings.push(format!("{name}:{}: {}", place + 1, line.trim()));
            }
        }
    }
    none("log with tracing instead of printing", &findings);
}

/// Whether this macro is invoked, and not one whose name ends like it.
fn calls(code: &str, name: &str) -> bool {
    let invocation = format!("{name}!(");
    code.match_indices(&invocation)
        .any(|(at, _)| !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_'))
}
