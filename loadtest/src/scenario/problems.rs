//! What is wrong with a scenario: everything at once, with lines.

use std::{fmt, ops::Range};

/// Characters of a value that a message shows.
const SHOWN_CHARS_MAX: usize = 60;

/// Everything that is wrong with a scenario.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct Problems {
    /// The scenario's name.
    scenario: String,
    /// Line and words, in the order of lines.
    found: Vec<(usize, String)>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (line, what)) in self.found.iter().enumerate() {
            let end_of_last = if place > 0 { "\n" } else { "" };
            write!(f, "{end_of_last}{}:{line}: {what}", self.scenario)?;
        }
        Ok(())
    }
}

/// Where problems are gathered while a text is read.
pub(super) struct Findings<'i> {
    text: &'i str,
    found: Vec<(usize, String)>,
}

impl<'i> Findings<'i> {
    pub(super) fn new(text: &'i str) -> Self {
        Self { text, found: Vec::new() }
    }

    pub(super) fn add(&mut self, at: &Range<usize>, what: impl Into<String>) {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
        self.found.push((line, what.into()));
    }

    /// A value as it was written, in one line.
    pub(super) fn written(&self, at: &Range<usize>) -> String {
        let written = self.text.get(at.clone()).unwrap_or_default();
        let words = written.split_whitespace().collect::<Vec<_>>().join(" ");
        match words.char_indices().nth(SHOWN_CHARS_MAX) {
            Some((end, _)) => format!("{}…", &words[..end]),
            None => words,
        }
    }

    /// Ends reading.
    ///
    /// # Errors
    ///
    /// What was found.
    pub(super) fn finish(mut self, scenario: &str) -> Result<(), Problems> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort();
        self.found.dedup();
        Err(Problems { scenario: scenario.to_owned(), found: self.found })
    }
}

/// What somebody meant who wrote something else, as the end of a sentence.
pub(crate) fn instead<'w>(written: &str, known: impl Iterator<Item = &'w str> + Clone) -> String {
    let near = known.clone().map(|word| (distance(written, word), word)).min();
    match near {
        Some((steps, word)) if steps <= 1 + word.len() / 4 => format!("did you mean `{word}`?"),
        _ => {
            let known: Vec<_> = known.map(|word| format!("`{word}`")).collect();
            format!("there are {}", known.join(", "))
        }
    }
}

/// Letters to add, take away or exchange.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<_> = b.chars().collect();
    let mut row: Vec<_> = (0..=b.len()).collect();
    for (line, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (place, other) in b.iter().enumerate() {
            let exchanged = diagonal + usize::from(letter != *other);
            diagonal = row[place + 1];
            row[place + 1] = exchanged.min(row[place] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told_from_another_word() {
        let known = ["weight", "path", "arguments"];
        assert_eq!(instead("wieght", known.into_iter()), "did you mean `weight`?");
        assert_eq!(instead("argument", known.into_iter()), "did you mean `arguments`?");
        assert_eq!(instead("colour", known.into_iter()), "there are `weight`, `path`, `arguments`");
        assert_eq!((distance("", "abc"), distance("kitten", "sitting"), distance("a", "a")), (3, 3, 0));
    }
}
