//! Everything that breaks.

use std::collections::BTreeMap;

use callboard_cluster::{
    core::{Connection, Input, SessionState},
    memory::Store,
    store::{Answer, Command, Sent, Stream},
};
use callboard_protocol::identity::Incarnation;
use rand::RngExt as _;

use super::{Event, MS, Server, World};
use crate::plan::{Fault, On, Restart};

impl World {
    pub(super) fn boot(&mut self, node: usize) {
        if self.nodes[node].state != SessionState::Left {
            self.kill(node);
        }
        let life = self.nodes[node].life + 1;
        let mut fresh = self.fresh_core();
        fresh.life = life;
        fresh.alive = true;
        fresh.cut = self.nodes[node].cut;
        fresh.slow = self.nodes[node].slow;
        fresh.stale = self.nodes[node].stale;
        for (link, old) in fresh.links.iter_mut().zip(&self.nodes[node].links) {
            link.epoch = old.epoch;
        }
        self.nodes[node] = fresh;
        self.step(node, Input::Tick);
    }

    pub(super) fn kill(&mut self, node: usize) {
        if !self.nodes[node].alive {
            return;
        }
        self.nodes[node].alive = false;
        self.nodes[node].paused = false;
        self.nodes[node].backlog.clear();
        self.nodes[node].state = SessionState::Away;
        let process = self.nodes[node].process;
        self.checker.process_died(process, self.now);
        for link in 0..3 {
            self.nodes[node].links[link].open = false;
        }
        let servers = self.servers.len();
        for server in 0..servers {
            self.servers[server].waiters.retain(|_, waiter| waiter.asker.node != node);
        }
    }

    /// Lets follow what is to follow a command of a node.
    pub(super) fn trigger(&mut self, node: usize, command: &Command, answer: &Answer) {
        let on = match (command, answer) {
            (Command::Fence { .. }, Answer::Fencing(true) | Answer::Orphan(_)) => On::Fence,
            (Command::Renew { .. }, Answer::Renewed(_)) => On::Renew { node },
            (Command::Send { to, stream: Stream::Requests, .. }, Answer::Sent(Sent::Now)) => {
                let to = self.nodes.iter().position(|node| node.process == to.process);
                let Some(to) = to else { return };
                On::Send { node, to }
            }
            _ => return,
        };
        let Some(at) = self.plan.triggers.iter().position(|one| one.on == on && one.after <= self.now) else {
            return;
        };
        let trigger = self.plan.triggers.remove(at);
        if on == On::Fence {
            self.checker.fault(&Fault::Kill { node, down_us: 0 });
            self.kill(node);
            let life = self.nodes[node].life;
            self.schedule(self.now + 2000 * MS, Event::Boot { node, life });
        }
        for (after, fault) in trigger.then {
            if after == 0 {
                self.fault(fault);
            } else {
                self.schedule(self.now + after, Event::Follows(Box::new(fault)));
            }
        }
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.checker.fault(&fault);
        match fault {
            Fault::Kill { node, down_us } => {
                self.kill(node);
                let life = self.nodes[node].life;
                self.schedule(self.now + down_us, Event::Boot { node, life });
            }
            Fault::Pause { node, for_us } => {
                if self.nodes[node].alive && !self.nodes[node].paused {
                    self.nodes[node].paused = true;
                    self.checker.paused(self.nodes[node].process, for_us);
                    self.schedule(self.now + for_us, Event::Resume { node });
                }
            }
            Fault::Cut { node, for_us } => {
                if !self.nodes[node].cut {
                    self.nodes[node].cut = true;
                    self.schedule(self.now + for_us, Event::Heal { node });
                }
            }
            Fault::Reset { node, connection } => self.reset(node, connection),
            Fault::Drain { node, down_us } => {
                if self.nodes[node].alive && !self.nodes[node].paused {
                    self.nodes[node].drains = true;
                    self.step(node, Input::Drain);
                    // As long as its drain timeout; by then it left, or is killed.
                    let life = self.nodes[node].life;
                    self.schedule(self.now + down_us, Event::Boot { node, life });
                }
            }
            Fault::Redis { restart, down_us } => {
                if self.servers[self.master].up {
                    self.server_down(self.master);
                    self.schedule(self.now + down_us, Event::ServerUp { server: self.master, restart });
                }
            }
            Fault::Flush => self.flush(),
            Fault::Dead { node, connection } => self.nodes[node].links[connection as usize].dead = true,
            Fault::Bar { node, connection, for_us } => {
                self.reset(node, connection);
                self.nodes[node].links[connection as usize].dead = true;
                self.nodes[node].barred = Some(connection);
                self.schedule(self.now + for_us, Event::Unbar { node });
            }
            Fault::Slow { node, up_us, down_us, for_us } => {
                self.nodes[node].slow = (up_us, down_us);
                self.schedule(self.now + for_us, Event::Fast { node });
            }
            Fault::Failover { back_us, old_lives_us, stale } => self.fail_over(back_us, old_lives_us, &stale),
        }
    }

    pub(super) fn snapshot_before(&mut self, back_us: u64) -> Store {
        self.incarnations += 1;
        let incarnation = Incarnation::named(&format!("i{}", self.incarnations));
        let at = self.now.saturating_sub(back_us);
        let snapshot = self.snapshots.iter().rev().find(|(taken, _)| *taken <= at);
        let store = match snapshot {
            Some((_, store)) if back_us > 0 => store,
            _ => &self.servers[self.master].store,
        };
        store.reborn(incarnation)
    }

    pub(super) fn server_down(&mut self, server: usize) {
        self.servers[server].up = false;
        self.servers[server].waiters.clear();
        for node in 0..self.nodes.len() {
            for connection in [Connection::Commands, Connection::Requests, Connection::Replies] {
                if self.nodes[node].links[connection as usize].server == server {
                    self.reset(node, connection);
                    self.nodes[node].links[connection as usize].dead = true;
                }
            }
        }
    }

    pub(super) fn server_up(&mut self, server: usize, restart: Restart) {
        self.incarnations += 1;
        let incarnation = Incarnation::named(&format!("i{}", self.incarnations));
        self.servers[server].store = match restart {
            Restart::WithData => self.servers[server].store.reborn(incarnation),
            Restart::MinusLast { back_us } => {
                let at = self.now.saturating_sub(back_us);
                let snapshot = self.snapshots.iter().rev().find(|(taken, _)| *taken <= at);
                snapshot.map_or_else(
                    || Store::new(incarnation.clone(), self.plan.inbox_frames_max, self.mutants),
                    |(_, store)| store.reborn(incarnation.clone()),
                )
            }
            Restart::Empty => Store::new(incarnation, self.plan.inbox_frames_max, self.mutants),
        };
        self.servers[server].up = true;
        self.snapshots.clear();
        self.checker.lost_memory(self.now, restart != Restart::WithData);
    }

    /// What waits at the store goes on waiting.
    fn flush(&mut self) {
        if !self.servers[self.master].up {
            return;
        }
        self.incarnations += 1;
        let incarnation = Incarnation::named(&format!("i{}", self.incarnations));
        self.servers[self.master].store = Store::new(incarnation, self.plan.inbox_frames_max, self.mutants);
        self.snapshots.clear();
        self.checker.lost_memory(self.now, true);
    }

    /// A replica becomes the master.
    fn fail_over(&mut self, back_us: u64, old_lives_us: u64, stale: &[usize]) {
        if !self.servers[self.master].up {
            return;
        }
        let old = self.master;
        self.servers[old].old = true;
        for node in stale {
            self.nodes[*node].stale = true;
        }
        let store = self.snapshot_before(back_us);
        self.servers.push(Server { store, up: true, old: false, waiters: BTreeMap::new() });
        self.master = self.servers.len() - 1;
        self.snapshots.clear();
        self.checker.lost_memory(self.now, back_us > 0);
        self.schedule(self.now + old_lives_us, Event::OldServerDies { server: old });
        // Some nodes notice at once, others when the old one dies.
        for node in 0..self.nodes.len() {
            if !stale.contains(&node) && self.random.random_bool(0.5) {
                for connection in [Connection::Commands, Connection::Requests, Connection::Replies] {
                    self.reset(node, connection);
                }
            }
        }
    }
}
