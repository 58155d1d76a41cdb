//! When nobody may be blamed for saying nothing: targets that somebody broke on purpose.

use std::{collections::VecDeque, time::Duration};

use crate::observation::TargetId;

/// Troubles that are remembered; requests end within their timeout, and faults come seconds apart.
pub(super) const TROUBLES_MAX: usize = 256;

/// A time in which a target may say nothing.
#[derive(Clone, Copy)]
struct Trouble {
    target: TargetId,
    from: Duration,
    until: Option<Duration>,
}

/// The troubles of a run.
#[derive(Default)]
pub(super) struct Silence {
    troubles: VecDeque<Trouble>,
}

impl Silence {
    /// This target may say nothing from now on.
    pub(super) fn begins(&mut self, target: TargetId, from: Duration) {
        self.add(Trouble { target, from, until: None });
    }

    /// It answers again.
    pub(super) fn ends(&mut self, target: TargetId, until: Duration) {
        let open = |trouble: &&mut Trouble| trouble.target == target && trouble.until.is_none();
        for trouble in self.troubles.iter_mut().filter(open) {
            trouble.until = Some(until);
        }
    }

    fn add(&mut self, trouble: Trouble) {
        if self.troubles.len() == TROUBLES_MAX {
            self.troubles.pop_front();
        }
        self.troubles.push_back(trouble);
    }

    /// Whether a request to this target, at this time, may have come to nothing.
    pub(super) fn excuses(&self, target: TargetId, sent: Duration, ended: Duration) -> bool {
        self.troubles.iter().any(|trouble| {
            trouble.target == target
                && trouble.from <= ended
                && trouble.until.is_none_or(|until| sent <= until)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_excused_if_it_was_under_way_in_a_trouble_of_its_target() {
        let seconds = Duration::from_secs;
        let mut silence = Silence::default();
        silence.begins(TargetId(1), seconds(10));
        assert!(silence.excuses(TargetId(1), seconds(9), seconds(10)));
        assert!(silence.excuses(TargetId(1), seconds(99), seconds(100)));
        silence.ends(TargetId(1), seconds(20));
        for (target, sent, ended, expected) in
            [(1, 9, 11, true), (1, 19, 30, true), (1, 21, 30, false), (1, 8, 9, false), (2, 9, 30, false)]
        {
            let excused = silence.excuses(TargetId(target), seconds(sent), seconds(ended));
            assert_eq!(excused, expected, "{target} {sent} {ended}");
        }
    }
}
