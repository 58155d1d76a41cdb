//! What README.md shows is code that compiles and commands that exist.

use super::texts;
use crate::repository;

/// Goal: no example in the README rots. Method: each block of Rust stands, line by line, in a file that the
/// workspace compiles, or the whole README is the documentation of a crate and so a doc test.
#[test]
fn every_block_of_rust_in_the_readme_is_compiled() {
    let Ok(readme) = std::fs::read_to_string(repository::root().join("README.md")) else { return };
    let sources = texts(&[".rs"]);
    if sources.iter().any(|(_, text)| text.contains("include_str!(\"") && text.contains("README.md\")")) {
        return;
    }
    for block in blocks(&readme, "rust") {
        let found = sources.iter().any(|(_, text)| stands_in(&block, text));
        assert!(found, "this block of README.md stands in no source file:\n{}", block.join("\n"));
    }
}

#[test]
fn the_commands_that_people_type_first_are_in_the_readme() {
    let Ok(readme) = std::fs::read_to_string(repository::root().join("README.md")) else { return };
    for command in ["cargo run --release", "./test"] {
        assert!(readme.contains(command), "README.md does not show {command}");
    }
}

/// The lines of every fenced block of a language.
fn blocks(text: &str, language: &str) -> Vec<Vec<String>> {
    let mut blocks: Vec<Vec<String>> = Vec::new();
    let mut inside = None;
    for line in text.lines() {
        match (inside, line.trim_start().strip_prefix("```")) {
            (None, Some(info)) => {
                inside = Some(info.split([',', ' ']).next() == Some(language));
                if inside == Some(true) {
                    blocks.push(Vec::new());
                }
            }
            (Some(_), Some(_)) => inside = None,
            (Some(true), None) => blocks.last_mut().expect("it was opened").push(line.trim().to_owned()),
            (_, None) => {}
        }
    }
    blocks
}

/// Whether the lines follow each other in this source, however deep they are indented there. A line `…` stands for
/// any number of lines, and blank lines count for nothing.
fn stands_in(block: &[String], source: &str) -> bool {
    let source: Vec<_> = source.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let block = block.iter().filter(|line| !line.is_empty()).map(String::as_str);
    let pieces: Vec<Vec<&str>> =
        block.collect::<Vec<_>>().split(|line| *line == "…" || *line == "// …").map(<[_]>::to_vec).collect();
    let mut from = 0;
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        let at = source[from..].windows(piece.len()).position(|lines| lines == piece.as_slice());
        let Some(at) = at else { return false };
        from += at + piece.len();
    }
    true
}

#[test]
fn a_block_may_leave_lines_out_and_nothing_else() {
    let source = "fn a() {\n    one();\n    two();\n}\n";
    let lines = |text: &str| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    assert!(stands_in(&lines("fn a() {\n  …\n}"), source));
    assert!(stands_in(&lines("one();\n\ntwo();"), source));
    assert!(!stands_in(&lines("two();\none();"), source));
}
