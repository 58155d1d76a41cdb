//! Soft marks that become hard at a time of this node's clock, counted from when it learned of them.

use std::{collections::BTreeMap, time::Duration};

use callboard_protocol::revalidation::{LogPosition, Tag};

use crate::clock::Instant;

#[derive(Debug)]
pub(super) struct Expiring {
    by_time: BTreeMap<Instant, Vec<(Tag, LogPosition)>>,
    count: usize,
    max: usize,
}

impl Expiring {
    pub(super) const fn new(max: usize) -> Self {
        Self { by_time: BTreeMap::new(), count: 0, max }
    }

    /// Remembers a mark; `false` if there is no room, or no time.
    pub(super) fn add(&mut self, now: Instant, after_s: u32, tag: Tag, position: LogPosition) -> bool {
        let has_room = self.count < self.max && after_s > 0;
        if has_room {
            self.count += 1;
            let at = now + Duration::from_secs(after_s.into());
            self.by_time.entry(at).or_default().push((tag, position));
        }
        has_room
    }

    /// Whatever was born before this is dead anyway.
    pub(super) fn forget_until(&mut self, floor: LogPosition) {
        self.by_time.retain(|_, marks| {
            marks.retain(|(_, position)| *position > floor);
            !marks.is_empty()
        });
        self.count = self.by_time.values().map(Vec::len).sum();
    }

    /// Those whose time has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(Tag, LogPosition)> {
        let mut due = Vec::new();
        while let Some(first) = self.by_time.first_entry().filter(|first| *first.key() <= now) {
            due.append(&mut first.remove());
        }
        self.count -= due.len();
        due
    }

    /// When the first becomes hard.
    pub(super) fn first(&self) -> Option<Instant> {
        self.by_time.keys().next().copied()
    }
}
