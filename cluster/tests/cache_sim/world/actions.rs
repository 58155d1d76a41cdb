//! The application: actions that write its data and say what is stale.

use std::sync::Arc;

use callboard_cluster::cache::{
    Input, PublicationId, Wait,
    store::{Mark, Staleness},
};
use callboard_protocol::revalidation::LogPosition;
use rand::RngExt as _;

use super::{Event, Leaving, NodeEvent, TAGS, World, tag};
use crate::checker::Written;

impl World {
    /// A node that is asked, if it takes requests.
    pub(super) fn pick(&mut self, among: impl Fn(&Self) -> &[usize]) -> Option<usize> {
        let count = among(self).len();
        let node = match count {
            0 => self.random.random_range(0..self.nodes.len()),
            count => {
                let index = self.random.random_range(0..count);
                among(self)[index]
            }
        };
        (self.nodes[node].alive && !self.nodes[node].paused).then_some(node)
    }

    /// Somebody calls an action.
    pub(super) fn act(&mut self) {
        let Some(node) = self.pick(|world| &world.plan.mix.acting) else { return };
        if self.nodes[node].leaving != Leaving::Not {
            return;
        }
        let mix = &self.plan.mix;
        let (strict, session, soft, with_token) = (mix.strict, mix.session, mix.soft, mix.with_token);
        let wait = match self.random.random_range(0..100) {
            number if number < strict => Wait::Strict,
            number if number < strict + session => Wait::Session,
            _ => Wait::Eventual,
        };
        let staleness = if self.random.random_bool(soft) {
            Staleness::Soft { expire_s: [None, Some(0), Some(1)][self.random.random_range(0..3)] }
        } else {
            Staleness::Hard
        };
        let many = if self.random.random_bool(0.2) { self.random.random_range(2..4) } else { 1 };
        let own = &self.nodes[node].declared;
        let first = if self.plan.mix.declared && !own.is_empty() {
            own[self.random.random_range(0..own.len())]
        } else {
            self.random.random_range(0..TAGS)
        };
        let tags = (0..many).map(|more| (((first + more * 5) % TAGS) as u8, 0)).collect();
        let has_client = self.random.random_bool(with_token);
        let client = has_client.then(|| self.random.random_range(0..self.checker.clients.len()));
        let process = self.nodes[node].process;
        let written = Written { process, client, wait, staleness, tags, asked_at: 0 };
        self.last_action += 1;
        self.actions.insert(self.last_action, (node, self.nodes[node].life, written));
        self.nodes[node].actions += 1;
        let at = self.now + self.random.random_range(20..1000);
        self.schedule(at, Event::Commits { action: self.last_action });
    }

    /// Its data is written, whatever its node does meanwhile.
    pub(super) fn commits(&mut self, action: u64) {
        let Some((node, life, written)) = self.actions.get_mut(&action) else { return };
        let (node, is_alive) = (*node, self.nodes[*node].life == *life && self.nodes[*node].alive);
        if !is_alive {
            self.actions.remove(&action);
            return;
        }
        for (tag, counter) in &mut written.tags {
            self.data[usize::from(*tag)] += 1;
            *counter = self.data[usize::from(*tag)];
        }
        self.checker.wrote(written);
        let after = self.random.random_range(self.plan.mix.settles_us.clone());
        self.later(node, after, NodeEvent::Settles { action });
    }

    /// It ended: what it said to be stale is published.
    pub(super) fn settles(&mut self, node: usize, action: u64) {
        let Some((_, _, written)) = self.actions.get_mut(&action) else { return };
        written.asked_at = self.now;
        let (staleness, wait) = (written.staleness, written.wait);
        let marks = written.tags.iter().map(|(number, _)| Mark { tag: tag(usize::from(*number)), staleness });
        let marks: Arc<[Mark]> = marks.collect();
        self.step(node, Input::Publish(PublicationId(action), marks, wait));
        if self.nodes[node].leaving == Leaving::Left && self.actions.contains_key(&action) {
            self.checker.broken("liveness", format!("action {action} is never answered"));
        }
    }

    /// Its node has left before it ended: nothing was promised.
    pub(super) fn refused(&mut self, node: usize, action: u64) {
        self.checker.count("refused");
        self.actions.remove(&action);
        self.nodes[node].actions -= 1;
        self.checker.refused(self.nodes[node].process);
    }

    /// A node has left. Whatever ended on it before was published.
    pub(super) fn leaves(&mut self, node: usize) {
        self.nodes[node].leaving = Leaving::Left;
        let (life, mut unsettled) = (self.nodes[node].life, Vec::new());
        for (action, (whose, in_life, written)) in &self.actions {
            if (*whose, *in_life) != (node, life) {
                continue;
            }
            if written.asked_at > 0 {
                self.checker.broken("liveness", format!("action {action} was left behind"));
            }
            unsettled.extend(written.tags.iter().map(|(tag, _)| *tag));
        }
        self.checker.left(self.nodes[node].process, &unsettled);
    }

    /// Its client is answered.
    pub(super) fn responds(&mut self, node: usize, action: u64, position: Option<LogPosition>) {
        let Some((_, _, written)) = self.actions.remove(&action) else {
            return self.checker.broken("once", format!("action {action} was answered twice"));
        };
        self.nodes[node].actions -= 1;
        self.checker.count("actions");
        self.checker.responded(self.now, &written, position);
        if self.nodes[node].leaving != Leaving::Not && self.nodes[node].actions == 0 && !self.plan.hasty {
            // Its last action is done.
            self.later(node, 1, NodeEvent::Leaves);
        }
    }
}
