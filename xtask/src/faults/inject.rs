//! How each fault is done.

use std::time::Duration;

use callboard_loadtest::machine::proxy::Wire;
use rand::RngExt as _;
use rustix::process::Signal;
use tokio::time::sleep;

use super::{
    fault::Fault,
    history::{Outcome, Request},
    ledger::Line,
    world::World,
};
use crate::cluster::redis_server::Memory;

/// Slow calls that nodes run when a fault hits them, and how long each takes.
const SLOW_CALLS: u64 = 16;
const SLOW_MS: u64 = 1_500;

/// How long every account has something to do when its calls are to move.
const OCCUPIED_MS: u64 = 800;

/// How long it may take until one of them runs where it should, and how often it is tried with others.
const SLOW_START_MAX: Duration = Duration::from_millis(300);
const SLOW_ROUNDS: usize = 4;

impl World {
    /// Does a fault, once, and what ends it.
    pub(super) async fn inject(&mut self, fault: Fault) -> anyhow::Result<()> {
        match fault {
            Fault::Calm => {
                sleep(self.times.fence).await;
                Ok(())
            }
            Fault::Kill => self.kill_node().await,
            Fault::Stop => self.stop_node().await,
            Fault::Pause => self.pause_node().await,
            Fault::Partition => self.cut_node_off().await,
            Fault::Blip => self.blip().await,
            Fault::RedisRestart => self.restart_redis().await,
            Fault::RedisStall => self.stall_redis().await,
            Fault::Rolling => self.replace_nodes().await,
            Fault::Join => self.join_and_leave().await,
        }
    }

    /// Whom it hits.
    fn victim(&mut self) -> usize {
        self.random.random_range(0..self.fleet.members.len())
    }

    /// Longer than a lease that stands still is waited for.
    fn too_long(&self) -> Duration {
        self.times.fence * 2 + self.times.renew * 2
    }

    /// Makes others call what takes long, until this node runs some of it. Which node runs a call is not ours to say.
    async fn burden(&self, place: usize) -> anyhow::Result<()> {
        let (pid, first) = (self.fleet.pid(place), self.load.next_number());
        let runs_some = |lines: &[Line]| {
            lines.iter().rev().any(|line| match line {
                Line::Start(run) => run.pid == pid && run.number >= first && run.account.starts_with("slow-"),
                _ => false,
            })
        };
        for _ in 0..SLOW_ROUNDS {
            self.load.make_slow(Some(pid), SLOW_CALLS, SLOW_MS);
            if self.wait_for(SLOW_START_MAX, runs_some).await? {
                break;
            }
        }
        Ok(())
    }

    async fn kill_node(&mut self) -> anyhow::Result<()> {
        let victim = self.victim();
        self.burden(victim).await?;
        self.kill(victim).await?;
        self.seen.killed += 1;
        // It is taken for dead, or its successor is there before that; either may be.
        if self.random.random_bool(0.5) {
            sleep(self.too_long()).await;
        }
        self.fleet.add_node().await?;
        self.seen.replaced += 1;
        Ok(())
    }

    async fn stop_node(&mut self) -> anyhow::Result<()> {
        let victim = self.victim();
        self.burden(victim).await?;
        self.fleet.members[victim].node.process.signal(Signal::STOP)?;
        sleep(self.too_long()).await;
        self.fleet.members[victim].node.process.signal(Signal::CONT)
    }

    async fn pause_node(&mut self) -> anyhow::Result<()> {
        let victim = self.victim();
        let pid = self.fleet.pid(victim);
        self.fleet.members[victim].node.process.signal(Signal::STOP)?;
        sleep(self.times.hold / 2).await;
        let at = self.load.happened();
        self.fleet.members[victim].node.process.signal(Signal::CONT)?;
        sleep(self.times.hold).await;
        self.seen.waited += self.waited(at, |request| request.asked == pid);
        Ok(())
    }

    /// How many of these calls were asked before this moment and done after it.
    fn waited(&self, at: u64, counts: impl Fn(&Request) -> bool) -> u64 {
        let requests = self.load.requests();
        let waited = requests.iter().filter(|request| {
            request.sent < at
                && request.ended > at
                && request.outcome() == Some(Outcome::Done)
                && counts(request)
        });
        waited.count() as u64
    }

    async fn cut_node_off(&mut self) -> anyhow::Result<()> {
        let victim = self.victim();
        self.burden(victim).await?;
        let how = if self.random.random_bool(0.5) { Wire::Cut } else { Wire::Stalled };
        self.fleet.members[victim].wire.set(how);
        sleep(self.too_long()).await;
        self.fleet.members[victim].wire.set(Wire::Open);
        Ok(())
    }

    async fn blip(&mut self) -> anyhow::Result<()> {
        let before = self.wires();
        for place in 0..self.fleet.members.len() {
            // Long enough that something is asked meanwhile, and shorter than a command may take.
            self.fleet.members[place].wire.set(Wire::Deaf);
            sleep(self.times.command / 2).await;
            self.fleet.members[place].wire.reset();
            self.fleet.members[place].wire.set(Wire::Open);
            sleep(self.times.renew).await;
        }
        let after = self.wires();
        self.seen.resets += after.0 - before.0;
        self.seen.answers_lost += after.1 - before.1;
        Ok(())
    }

    /// Connections reset, and answers lost, so far.
    fn wires(&self) -> (u64, u64) {
        let wires = self.fleet.members.iter().map(|member| &member.wire);
        wires.fold((0, 0), |(resets, lost), wire| (resets + wire.resets(), lost + wire.lost()))
    }

    async fn restart_redis(&mut self) -> anyhow::Result<()> {
        for memory in [Memory::Kept, Memory::Lost] {
            self.load.make_slow(None, SLOW_CALLS, SLOW_MS / 3);
            sleep(self.times.renew).await;
            self.fleet.restart_redis(memory).await?;
            self.seen.restarts += 1;
            // Long enough that keyed calls may run again.
            sleep(self.too_long()).await;
        }
        Ok(())
    }

    async fn stall_redis(&mut self) -> anyhow::Result<()> {
        let stall = self.times.command * self.random.random_range(2..8);
        self.fleet.redis.signal(Signal::STOP)?;
        sleep(stall).await;
        let at = self.load.happened();
        self.fleet.redis.signal(Signal::CONT)?;
        sleep(self.times.hold).await;
        self.seen.waited += self.waited(at, Request::was_routed);
        Ok(())
    }

    async fn replace_nodes(&mut self) -> anyhow::Result<()> {
        for _ in 0..self.fleet.members.len() {
            // Some are under way at the node that leaves, and some were sent by it.
            self.load.make_slow(None, SLOW_CALLS, SLOW_MS / 3);
            self.load.occupy(OCCUPIED_MS);
            // The oldest stands first.
            self.fleet.retire(0).await?;
            self.fleet.add_node().await?;
            self.seen.replaced += 1;
        }
        Ok(())
    }

    async fn join_and_leave(&mut self) -> anyhow::Result<()> {
        self.load.occupy(OCCUPIED_MS);
        let place = self.fleet.add_node().await?;
        let pid = self.fleet.pid(place);
        let runs = |lines: &[Line]| {
            lines.iter().filter(|line| matches!(line, Line::Start(run) if run.pid == pid)).count() as u64
        };
        self.wait_for(Duration::from_secs(5), |lines| runs(lines) > 0).await?;
        sleep(self.times.fence).await;
        let run = runs(&self.lines()?);
        self.seen.run_by_newcomer += run;
        self.load.occupy(OCCUPIED_MS);
        self.fleet.retire(place).await
    }
}
