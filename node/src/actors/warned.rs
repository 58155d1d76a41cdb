//! What is worth a line in the log, but not a thousand.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

/// Says at most once a minute what may happen thousands of times.
#[derive(Debug, Default)]
pub(super) struct Warned(HashMap<String, Instant>);

impl Warned {
    const EVERY: Duration = Duration::from_mins(1);
    /// What is remembered of it; the texts are ours, but for what peers name in them.
    const TEXTS_MAX: usize = 64;

    /// Whether this is to be said now.
    pub(super) fn is_due(&mut self, text: &str) -> bool {
        let now = Instant::now();
        self.0.retain(|_, said| now.duration_since(*said) < Self::EVERY);
        if self.0.contains_key(text) || self.0.len() >= Self::TEXTS_MAX {
            return false;
        }
        self.0.insert(text.to_owned(), now);
        true
    }
}
