//! Everything that breaks.

use callboard_cluster::cache::{Connection, Input};
use rand::RngExt as _;

use super::{Event, Leaving, Node, World};
use crate::plan::{Fault, On};

impl World {
    pub(super) fn boot(&mut self, node: usize) {
        self.kill(node);
        let old = &self.nodes[node];
        let life = old.life + 1;
        let (cut_up, cut_down, slow, slow_until) = (old.cut_up, old.cut_down, old.slow, old.slow_until);
        let (clock_offset, links) = (old.clock_offset, old.links.clone());
        let mut fresh = self.fresh_node(node);
        (fresh.life, fresh.alive) = (life, true);
        (fresh.cut_up, fresh.cut_down, fresh.slow, fresh.slow_until) = (cut_up, cut_down, slow, slow_until);
        fresh.clock_offset = clock_offset;
        for (link, old) in fresh.links.iter_mut().zip(links) {
            link.number = old.number + 1;
        }
        self.nodes[node] = fresh;
        self.step(node, Input::Tick);
    }

    fn kill(&mut self, node: usize) {
        let state = &mut self.nodes[node];
        if !state.alive {
            return;
        }
        (state.alive, state.paused) = (false, false);
        state.backlog.clear();
        for link in &mut state.links {
            (link.open, link.dead) = (false, true);
        }
        self.checker.died(state.process, &state.declared);
    }

    /// A node goes on, with all that it missed: before some of it, somebody asks for pages.
    pub(super) fn resume(&mut self, node: usize) {
        if !self.nodes[node].paused {
            return;
        }
        self.nodes[node].paused = false;
        let backlog = std::mem::take(&mut self.nodes[node].backlog);
        for what in backlog {
            if self.random.random_bool(0.2) {
                self.reads_of(node);
            }
            if self.nodes[node].alive {
                self.node_event(node, what);
            }
        }
    }

    /// Lets follow what is to follow a command that was executed.
    pub(super) fn trigger(&mut self, on: On) {
        if self.plan.triggers.is_empty() {
            return;
        }
        let now = self.now;
        let Some(at) = self.plan.triggers.iter().position(|one| one.on == on && one.after <= now) else {
            return;
        };
        let trigger = self.plan.triggers.remove(at);
        for (after, fault) in trigger.then {
            self.schedule(now + after, Event::Follows(Box::new(fault)));
        }
    }

    pub(super) fn fault(&mut self, fault: &Fault) {
        self.checker.count(fault.name());
        let now = self.now;
        match *fault {
            Fault::Kill { node, down_us } => {
                self.kill(node);
                let life = self.nodes[node].life;
                self.schedule(now + down_us, Event::Boot { node, life });
            }
            Fault::Leave { node, down_us } => {
                let Node { alive, paused, leaving, .. } = self.nodes[node];
                if alive && !paused && leaving == Leaving::Not {
                    self.nodes[node].leaving = Leaving::Asked;
                    if self.nodes[node].actions == 0 || self.plan.hasty {
                        self.step(node, Input::Leave);
                    }
                    let life = self.nodes[node].life;
                    self.schedule(now + down_us, Event::Boot { node, life });
                }
            }
            Fault::Pause { node, for_us } => {
                if self.nodes[node].alive && !self.nodes[node].paused {
                    self.nodes[node].paused = true;
                    self.schedule(now + for_us, Event::Resume { node });
                }
            }
            Fault::Cut { node, up, down, for_us } => {
                let state = &mut self.nodes[node];
                if up {
                    state.cut_up = state.cut_up.max(now + for_us);
                }
                if down {
                    state.cut_down = state.cut_down.max(now + for_us);
                }
            }
            Fault::Slow { node, up_us, down_us, for_us } => {
                (self.nodes[node].slow, self.nodes[node].slow_until) = ((up_us, down_us), now + for_us);
            }
            Fault::Deaf { node, for_us } => self.nodes[node].deaf_until = now + for_us,
            Fault::Reset { node, connection } => self.reset(node, connection),
            Fault::Dead { node, connection } => self.nodes[node].links[connection as usize].dead = true,
            Fault::Restart { lost_us, down_us } => self.restart(lost_us, down_us),
            Fault::Flush => {
                self.store.flush();
                self.checker.forgot();
            }
            Fault::Trim { keep } => self.store.trim(keep),
        }
    }

    fn restart(&mut self, lost_us: u64, down_us: u64) {
        if !self.store_up {
            return;
        }
        self.store_up = false;
        let at = self.now.saturating_sub(lost_us);
        let snapshot = self.snapshots.iter().rev().find(|(taken, _)| *taken <= at);
        self.comes_back_as = snapshot.filter(|_| lost_us > 0).map(|(_, store)| store.clone());
        self.snapshots.clear();
        for node in 0..self.nodes.len() {
            for connection in [Connection::Commands, Connection::Pushes] {
                self.reset(node, connection);
                self.nodes[node].links[connection as usize].dead = true;
            }
        }
        self.schedule(self.now + down_us, Event::StoreUp);
    }

    pub(super) fn store_up(&mut self) {
        match self.comes_back_as.take() {
            Some(earlier) => {
                self.store.restart(&earlier);
                self.checker.forgot();
            }
            None => self.store.restart(&self.store.clone()),
        }
        self.store_run += 1;
        self.store_up = true;
    }
}
