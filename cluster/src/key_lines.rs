//! One call at a time per key, in order of arrival.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// The lines of calls that wait for the call before them. A key without a running call has no line.
#[derive(Debug)]
pub struct KeyLines<K, C> {
    lines: HashMap<K, VecDeque<C>>,
    waiting_max: usize,
}

/// What to do with a call that arrived.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission<C> {
    /// Nothing runs for this key: start it, and say [`KeyLines::finished`] when it ended.
    Start(C),
    /// It waits; a later [`KeyLines::finished`] gives it out.
    Waiting,
    /// The line is full; the call did not start.
    Full(C),
}

impl<K: Eq + Hash, C> KeyLines<K, C> {
    /// No calls yet; at most `waiting_max` wait per key.
    #[must_use]
    pub fn new(waiting_max: usize) -> Self {
        Self { lines: HashMap::new(), waiting_max }
    }

    /// A call arrived.
    pub fn admit(&mut self, key: K, call: C) -> Admission<C> {
        match self.lines.get_mut(&key) {
            None => {
                self.lines.insert(key, VecDeque::new());
                Admission::Start(call)
            }
            Some(line) if line.len() >= self.waiting_max => Admission::Full(call),
            Some(line) => {
                line.push_back(call);
                Admission::Waiting
            }
        }
    }

    /// The running call of this key ended, or was not started after all: the next one to start, if any waits.
    pub fn finished(&mut self, key: &K) -> Option<C> {
        let next = self.lines.get_mut(key)?.pop_front();
        if next.is_none() {
            self.lines.remove(key);
        }
        next
    }

    /// Forgets the waiting calls of this key that `keep` refuses.
    pub fn retain_waiting(&mut self, key: &K, keep: impl FnMut(&C) -> bool) {
        if let Some(line) = self.lines.get_mut(key) {
            line.retain(keep);
        }
    }

    /// How many keys have a running call.
    #[must_use]
    pub fn running(&self) -> usize {
        self.lines.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_full_line_refuses_and_forgets_nothing() {
        let mut lines = KeyLines::new(1);
        assert_eq!(lines.admit("a", 1), Admission::Start(1));
        assert_eq!(lines.admit("a", 2), Admission::Waiting);
        assert_eq!(lines.admit("a", 3), Admission::Full(3));
        assert_eq!(lines.admit("b", 4), Admission::Start(4));
        assert_eq!(lines.finished(&"a"), Some(2));
        assert_eq!(lines.finished(&"a"), None);
        assert_eq!(lines.running(), 1);
    }

    #[test]
    fn a_call_that_is_forgotten_makes_room_in_the_line() {
        let mut lines = KeyLines::new(1);
        lines.admit("a", 1);
        lines.admit("a", 2);
        lines.retain_waiting(&"a", |call| *call != 2);
        assert_eq!(lines.admit("a", 3), Admission::Waiting);
        assert_eq!(lines.finished(&"a"), Some(3));
    }

    proptest! {
        /// Goal: never two of one key at once, and arrival order per key. Method: random arrivals and endings.
        #[test]
        fn calls_of_one_key_run_singly_and_in_order(steps in prop::collection::vec((0_u8..4, any::<bool>()), 0..200)) {
            let mut lines = KeyLines::new(usize::MAX);
            let mut running: HashMap<u8, usize> = HashMap::new();
            let mut started: HashMap<u8, Vec<usize>> = HashMap::new();
            for (number, (key, arrives)) in steps.into_iter().enumerate() {
                let start = if arrives {
                    match lines.admit(key, number) {
                        Admission::Start(call) => {
                            prop_assert!(!running.contains_key(&key));
                            Some(call)
                        }
                        Admission::Waiting => None,
                        Admission::Full(_) => unreachable!("the lines have no limit here"),
                    }
                } else if running.remove(&key).is_some() {
                    lines.finished(&key)
                } else {
                    None
                };
                if let Some(call) = start {
                    running.insert(key, call);
                    started.entry(key).or_default().push(call);
                }
            }
            prop_assert_eq!(lines.running(), running.len());
            for calls in started.values() {
                prop_assert!(calls.is_sorted());
            }
        }
    }
}
