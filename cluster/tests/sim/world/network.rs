//! The network between nodes and store: what is sent takes its time, in order on each connection, and may be lost with
//! it.

use callboard_cluster::{
    core::{Connection, RequestId},
    mutant::Mutant,
    store::{Answer, Command, Failure},
};
use rand::RngExt as _;

use super::{Asker, Event, Link, MS, NodeEvent, Waiter, World};
use crate::checker::Checker;

impl World {
    pub(super) fn latency(&mut self) -> u64 {
        let slow = self.random.random_bool(0.02);
        self.random.random_range(60..400) + if slow { self.random.random_range(0..5 * MS) } else { 0 }
    }

    pub(super) fn connect(&mut self, node: usize, connection: Connection) {
        let arrives = self.now + self.latency();
        let link = &mut self.nodes[node].links[connection as usize];
        link.epoch += 1;
        link.open = false;
        link.dead = false;
        let (epoch, life) = (link.epoch, self.nodes[node].life);
        self.schedule(arrives, Event::ConnectArrives { node, life, connection, epoch });
    }

    pub(super) fn connect_arrives(&mut self, node: usize, life: u64, connection: Connection, epoch: u64) {
        if self.nodes[node].life != life || self.nodes[node].links[connection as usize].epoch != epoch {
            return;
        }
        let old =
            self.nodes[node].stale.then(|| self.servers.iter().rposition(|server| server.old && server.up));
        let server = old.flatten().unwrap_or(self.master);
        let back = self.now + self.latency();
        let barred = self.nodes[node].barred == Some(connection);
        let possible = self.servers[server].up && !self.nodes[node].cut && !barred;
        let what = if possible {
            let incarnation = self.servers[server].store.incarnation().clone();
            let link = &mut self.nodes[node].links[connection as usize];
            let memory = Some(incarnation.clone());
            *link =
                Link { epoch, open: true, server, memory, last_up: self.now, last_down: back, dead: false };
            NodeEvent::Connected { connection, epoch, incarnation }
        } else {
            NodeEvent::Refused { connection, epoch }
        };
        self.schedule(back, Event::Node { node, life, what });
    }

    /// The network breaks a connection: of what is on its way, a part arrives and the rest does not.
    pub(super) fn reset(&mut self, node: usize, connection: Connection) {
        let link = &mut self.nodes[node].links[connection as usize];
        if !link.open {
            return;
        }
        link.open = false;
        link.dead = self.random.random_bool(0.5);
        let epoch = link.epoch;
        let life = self.nodes[node].life;
        let at = self.now + self.latency();
        self.schedule(at, Event::Node { node, life, what: NodeEvent::Refused { connection, epoch } });
    }

    pub(super) fn perform(
        &mut self,
        node: usize,
        request: RequestId,
        connection: Connection,
        command: Command,
    ) {
        let latency = self.latency() + self.nodes[node].slow.0;
        let cut = self.nodes[node].cut;
        let link = &mut self.nodes[node].links[connection as usize];
        if !link.open || link.dead {
            return;
        }
        if cut {
            // Nothing arrives while the node is cut off; the connection is as good as dead.
            link.dead = true;
            return;
        }
        let arrives = (self.now + latency).max(link.last_up + 1);
        link.last_up = arrives;
        let (epoch, server, life) = (link.epoch, link.server, self.nodes[node].life);
        let command = Box::new(command);
        let asker = Asker { node, life, connection, epoch, request };
        self.schedule(arrives, Event::Arrives { asker, server, command });
    }

    pub(super) fn command_arrives(&mut self, asker: Asker, server: usize, command: Command) {
        let Asker { node, life, connection, epoch, .. } = asker;
        if !self.servers[server].up {
            return;
        }
        let link = &self.nodes[node].links[connection as usize];
        let current = self.nodes[node].life == life && link.epoch == epoch;
        if current && link.dead {
            return;
        }
        // What a dead process or a closed connection had sent may still come in; its reads find nobody.
        let reads = matches!(command, Command::ReadRequests { .. } | Command::ReadReplies { .. });
        if !current && reads && self.random.random_bool(0.8) {
            return;
        }
        let is_same = link.memory.as_ref() == Some(self.servers[server].store.incarnation());
        if current && !is_same && !self.mutants.has(Mutant::MemoryUnchecked) {
            // It refuses what it is asked for, and the node connects again.
            return self.reset(node, connection);
        }
        if let Some(refusal) = self.refuses() {
            return self.answer(asker, Err(Failure::Refused(refusal)));
        }
        let time = self.redis_time();
        let before = Checker::before(&self.servers[server].store, &command);
        let answer = self.servers[server].store.execute(time, &command);
        match answer {
            Some(answer) => {
                let store = &self.servers[server].store;
                self.checker.executed(self.now, store, &command, &answer, before);
                self.wake_readers(server, &command);
                self.trigger(node, &command, &answer);
                self.answer(asker, Ok(answer));
            }
            None => {
                self.waiters += 1;
                let waiter = self.waiters;
                self.servers[server].waiters.insert(waiter, Waiter { asker, command });
                let block = self.settings.block.as_micros() as u64;
                self.schedule(self.now + block, Event::ReadEnds { server, waiter });
            }
        }
    }

    pub(super) fn refuses(&mut self) -> Option<String> {
        let refusing = self.plan.refusals.iter().any(|(from, until)| (*from..*until).contains(&self.now));
        (refusing && self.random.random_bool(0.7)).then(|| "OOM command not allowed".to_owned())
    }

    pub(super) fn wake_readers(&mut self, server: usize, command: &Command) {
        let boot = match command {
            Command::Send { to, .. } => *to,
            Command::Fence { boot, .. } | Command::Leave { boot } | Command::Orphan { boot, .. } => *boot,
            _ => return,
        };
        let waiting: Vec<u64> = self.servers[server]
            .waiters
            .iter()
            .filter(|(_, waiter)| match &waiter.command {
                Command::ReadRequests { boot: reader, .. } => *reader == boot,
                // A plain read is not woken by a rename.
                Command::ReadReplies { boot: reader, .. } => {
                    *reader == boot && matches!(command, Command::Send { .. })
                }
                _ => false,
            })
            .map(|(id, _)| *id)
            .collect();
        let time = self.redis_time();
        for id in waiting {
            let command = self.servers[server].waiters[&id].command.clone();
            if let Some(answer) = self.servers[server].store.execute(time, &command) {
                let waiter = self.servers[server].waiters.remove(&id).expect("just seen");
                self.answer(waiter.asker, Ok(answer));
            }
        }
    }

    pub(super) fn answer(&mut self, asker: Asker, answer: Result<Answer, Failure>) {
        let Asker { node, life, connection, epoch, request } = asker;
        let latency = self.latency() + self.nodes[node].slow.1;
        let node_state = &mut self.nodes[node];
        let cut = node_state.cut;
        let link = &mut node_state.links[connection as usize];
        if node_state.life != life || link.epoch != epoch || !link.open || link.dead {
            return;
        }
        if cut {
            link.dead = true;
            return;
        }
        let arrives = (self.now + latency).max(link.last_down + 1);
        link.last_down = arrives;
        self.schedule(
            arrives,
            Event::Node { node, life, what: NodeEvent::Answered { connection, epoch, request, answer } },
        );
    }
}
