//! Where calls go: to this node's own queue, or in line for a frame to the session that the view names.

use callboard_protocol::{
    action::CallId,
    envelope::{Answer, Verdict},
    identity::Boot,
};

use super::{
    Core,
    caller::{Line, Place, SPREAD},
};
use crate::{mutant::Mutant, placement};

impl Core {
    /// A call that waits for no other may be run by another member of its action's set.
    pub(super) fn try_elsewhere(&mut self, call: CallId, verdict: Option<&Verdict>) -> bool {
        let now = self.io.now;
        let waiting = self.caller.calls.get_mut(&call).expect("asked for one that is there");
        let Some(boot) = waiting.place.boot(self.session.boot()) else { return false };
        if waiting.submission.key.is_some()
            || waiting.attempt >= self.io.settings.attempts_max
            || now >= waiting.submission.deadline
        {
            return false;
        }
        waiting.tried.insert(boot);
        let tried = waiting.tried.len();
        let action = waiting.submission.action;
        let Some(view) = &self.views.current else { return false };
        let there = view.members.iter().any(|(boot, member)| {
            !member.draining && member.profile.build == self.profile.build && !waiting.tried.contains(boot)
        });
        if !there {
            return false;
        }
        let spread = self.caller.spread.entry(action).or_insert((1, now));
        *spread = (spread.0.max(tried + 1), now + SPREAD);
        self.again(call, verdict);
        true
    }

    /// Gives places to calls that have none, as far as they may have one.
    pub(crate) fn place_calls(&mut self) {
        if !self.may_send() {
            return;
        }
        let unplaced: Vec<CallId> = self.caller.unplaced.values().copied().collect();
        for call in unplaced {
            if let Some(boot) = self.place_of(call) {
                let accepted = self.caller.calls[&call].accepted;
                self.caller.unplaced.remove(&accepted);
                self.put_in_place(call, boot);
            }
        }
        for line in std::mem::take(&mut self.caller.changed) {
            self.place_line(&line);
        }
    }

    /// A call that came back after a later one of its key was done is too late: running it would break the order.
    fn answer_overtaken(&mut self, line: &Line) {
        if self.io.has(Mutant::OvertakenRuns) {
            return;
        }
        let Some(there) = self.caller.lines.get(line) else { return };
        let before_done = there.calls.range(..there.done).map(|(_, call)| *call);
        let overtaken: Vec<CallId> =
            before_done.filter(|call| self.caller.calls[call].place == Place::Here).collect();
        for call in overtaken {
            self.answer(call, Answer::Moved, None);
        }
    }

    /// Calls of one key leave in the order of acceptance, and while some are unresolved at one session, others go to
    /// that session only, and none that is older than one of them.
    fn place_line(&mut self, line: &Line) {
        self.answer_overtaken(line);
        let Some(calls) = self.caller.lines.get(line) else { return };
        let calls: Vec<CallId> = calls.calls.values().copied().collect();
        let two_boots = self.io.has(Mutant::KeyAtTwoBoots);
        let own = self.session.boot();
        let out = calls.iter().filter_map(|call| {
            let waiting = &self.caller.calls[call];
            waiting.place.boot(own).map(|boot| (waiting.accepted, boot))
        });
        let (mut latest_out, mut at) = (0, None);
        for (accepted, boot) in out {
            latest_out = latest_out.max(accepted);
            // They are all at one session; if they are not, nothing is sent until they are.
            match at {
                None => at = Some(Some(boot)),
                Some(Some(there)) if there != boot => at = Some(None),
                _ => {}
            }
        }
        for call in calls {
            let waiting = &self.caller.calls[&call];
            if waiting.place != Place::Here {
                continue;
            }
            let Some(boot) = self.place_of(call) else { return };
            let accepted = waiting.accepted;
            if (accepted < latest_out || at.is_some_and(|at| at != Some(boot))) && !two_boots {
                return;
            }
            at = Some(Some(boot));
            latest_out = latest_out.max(accepted);
            self.put_in_place(call, boot);
        }
    }

    /// Where a call belongs by the view, if it may go there now.
    fn place_of(&self, call: CallId) -> Option<Boot> {
        let waiting = &self.caller.calls[&call];
        let view = self.views.current.as_ref()?;
        if let Some((incarnation, version)) = &waiting.not_before
            && *incarnation == view.incarnation
            && view.version < *version
        {
            return None;
        }
        let submission = &waiting.submission;
        let boot = if submission.key.is_some() {
            placement::line_owner(view, submission.slot, &submission.action)?
        } else {
            let spread = self.caller.spread.get(&submission.action);
            let set = spread.filter(|(_, until)| *until > self.io.now).map_or(1, |(count, _)| *count);
            let candidates = placement::candidates(view, submission.slot, self.profile.build);
            let untried: Vec<Boot> =
                candidates.into_iter().filter(|boot| !waiting.tried.contains(boot)).collect();
            // Of those that share the action, the calls choose evenly.
            *untried.get(waiting.accepted as usize % set.clamp(1, untried.len().max(1)))?
        };
        // A node that drains runs nothing more, whatever the view still says.
        let away = self.caller.gone.contains(&boot)
            || self.session.is_draining() && self.session.boot() == Some(boot);
        (!away).then_some(boot)
    }

    fn put_in_place(&mut self, call: CallId, boot: Boot) {
        let own = self.session.boot() == Some(boot);
        let waiting = self.caller.calls.get_mut(&call).expect("placed is what is there");
        if own {
            waiting.place = Place::Own;
            let (submission, attempt) = (waiting.submission.clone(), waiting.attempt);
            self.take_own(submission, attempt);
        } else {
            waiting.place = Place::Lined(boot);
            self.caller.courier.push(boot, call);
        }
    }
}
