//! docs/CONSISTENCY.md lists the rules of the protocol, and the rules that tests leave out: those that there are.

use std::fs;

use callboard_cluster::{cache, core::Invariant, mutant::Mutant};

use crate::repository;

const PAGE: &str = "docs/CONSISTENCY.md";

/// The rows of every table on the page, each as its cells.
fn rows() -> Vec<Vec<String>> {
    let page = fs::read_to_string(repository::root().join(PAGE)).expect("the page is part of the tree");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// First and second cells of the rows whose first cell is a name of this form.
fn named(is_name: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let rows = rows().into_iter().filter(|row| row.len() > 1 && is_name(&row[0]));
    rows.map(|row| (row[0].clone(), row[1].clone())).collect()
}

#[test]
fn every_invariant_is_documented() {
    let is_invariant = |name: &str| {
        let words = name.split_once('-');
        words.is_some_and(|(word, number)| {
            word.chars().all(|letter| letter.is_ascii_uppercase()) && number.parse::<u8>().is_ok()
        })
    };
    let documented: Vec<_> = named(is_invariant).into_iter().map(|(name, _)| name).collect();
    let of_calls = Invariant::ALL.iter().map(|invariant| invariant.id());
    let of_pages = cache::core::Invariant::ALL.iter().map(|invariant| invariant.id());
    let known: Vec<_> = of_calls.chain(of_pages).map(str::to_owned).collect();
    assert_eq!(documented, known, "{PAGE} and the invariants of cluster/src disagree");
}

#[test]
fn every_mutant_is_documented() {
    let is_mutant =
        |name: &str| name.strip_prefix(['M', 'C']).is_some_and(|number| number.parse::<u8>().is_ok());
    let known: Vec<_> =
        Mutant::all().map(|mutant| (mutant.id().to_owned(), mutant.about().to_owned())).collect();
    assert_eq!(named(is_mutant), known, "{PAGE} and cluster/src/mutant.rs disagree");
}
