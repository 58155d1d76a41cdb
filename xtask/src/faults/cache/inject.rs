//! How each fault is done.

use std::{rc::Rc, time::Duration};

use rand::RngExt as _;
use rustix::process::Signal;
use tokio::{
    task::spawn_local,
    time::{Instant, sleep},
};

use super::{
    super::{fleet::NAMESPACE, world::LOOK},
    clients::{DECLARED, DECLARED_BY, DECLARED_PAGE, Deed},
    fault::Fault,
    history::{Lapse, Origin, Read, Wait, Write},
    world::World,
};
use crate::cluster::redis_server::Memory;
use callboard_loadtest::machine::proxy::Wire;

/// How long what an action wrote may take to be seen, and what was asked to be so.
const SOON: Duration = Duration::from_secs(10);

/// How long an action goes on that is not to end.
const ENDLESS_MS: u64 = 25_000;

/// How often a node is stopped, until it was asked for a page without a lease and somebody wrote meanwhile.
const STOPS_MAX: usize = 5;

impl World {
    /// Does a fault, once, and what ends it.
    pub(super) async fn inject(&mut self, fault: Fault) -> anyhow::Result<()> {
        match fault {
            Fault::Calm => sleep(self.lease * 2).await,
            Fault::Pause => self.stop_node(self.lease / 2).await?,
            // Whoever writes waits for its lease to end and asks once more: time for several that do.
            Fault::Stop => {
                // Whether somebody asks for a page before the lease is renewed, and writes meanwhile, is chance.
                let began = self.clients.now();
                for _ in 0..STOPS_MAX {
                    self.stop_node(self.lease * 4).await?;
                    if self.has_seen_fenced(began) && self.tally.written_meanwhile > 0 {
                        break;
                    }
                }
            }
            Fault::Kill => self.kill_node().await?,
            Fault::Rolling => self.replace_nodes().await?,
            Fault::Cut => self.cut_node_off().await?,
            Fault::Delay => self.delay_node().await?,
            Fault::Pushes => {
                let ended = self.fleet.redis.command("CLIENT KILL TYPE pubsub").await?;
                self.tally.pushes_ended += number(&ended);
            }
            Fault::Trim => self.trim_log().await?,
            Fault::Flush => {
                let before = self.epoch().await?;
                self.fleet.redis.command("FLUSHALL").await?;
                self.wait_for_epoch(before).await?;
            }
            Fault::RedisPause => {
                self.stop_redis(self.lease / 2).await?;
                self.stop_redis(self.lease * 2).await?;
            }
            Fault::RedisKill => {
                self.kill_redis(Memory::Kept, Duration::ZERO).await?;
                self.kill_redis(Memory::Lost, Duration::ZERO).await?;
                self.kill_redis(Memory::Lost, self.lease * 2).await?;
            }
            Fault::LateRedis => self.start_node_without_redis().await?,
        }
        sleep(self.lease).await;
        Ok(())
    }

    /// Whom it hits.
    fn victim(&mut self) -> usize {
        self.random.random_range(0..self.fleet.members.len())
    }

    /// Stops a node for so long.
    async fn stop_node(&mut self, pause: Duration) -> anyhow::Result<()> {
        let victim = self.victim();
        let pid = self.fleet.pid(victim);
        self.fleet.members[victim].node.process.signal(Signal::STOP)?;
        let stopped = self.clients.now();
        sleep(pause).await;
        let goes_on = self.clients.now();
        self.fleet.members[victim].node.process.signal(Signal::CONT)?;
        sleep(self.lease).await;
        self.count_meanwhile(stopped, goes_on);
        self.tally.waited += self.reads_over(goes_on, pid);
        Ok(())
    }

    /// Kills a node that has written and not revalidated. Others clear up behind it.
    async fn kill_node(&mut self) -> anyhow::Result<()> {
        let before = self.counter(DECLARED).await;
        let (asked, clients) = (self.victim(), Rc::clone(&self.clients));
        let asked = self.fleet.pid(asked);
        // Nobody is told of its end.
        spawn_local(async move {
            let arguments = format!("[{ENDLESS_MS}]");
            clients.act(asked, Deed::Declared, &arguments, &mut <_>::default()).await
        });
        let (mut count, started) = (before, Instant::now());
        while count == before && started.elapsed() < SOON {
            sleep(LOOK).await;
            count = self.counter(DECLARED).await;
        }
        // Which node runs an action is not ours to say.
        let runner = self.counter(DECLARED_BY).await.and_then(|pid| u32::try_from(pid).ok());
        let runner = self.fleet.pids().iter().position(|pid| Some(*pid) == runner);
        let (Some(before), Some(count), Some(runner)) = (before, count, runner) else { return Ok(()) };
        // Everybody has a page of before it.
        sleep(self.lease / 2).await;
        self.fleet.kill(runner).await?;
        let killed = self.clients.now();
        let reaped = killed + micros(self.reaping());
        let (tag, wait) = (DECLARED.to_owned(), Wait::Reaping);
        let write = Write { client: None, tag, wait, sent: killed, ended: reaped, count: Some(count) };
        self.clients.note(write);
        self.tally.killed += u64::from(count > before);
        sleep(self.reaping() + self.lease).await;
        self.count_of_dead(count, killed);
        self.fleet.add_node().await.map(drop)
    }

    /// A counter, as some node reads it.
    async fn counter(&mut self, name: &str) -> Option<i64> {
        let place = self.victim();
        let arguments = format!("[\"{name}\"]");
        self.clients.act(self.fleet.pid(place), Deed::Read, &arguments, &mut <_>::default()).await
    }

    fn count_of_dead(&mut self, count: i64, killed: u64) {
        let seen = self.clients.seen.borrow();
        for read in seen.reads.iter().filter(|read| read.path == DECLARED_PAGE && read.sent > killed) {
            let shows = read.shown.counts.get(DECLARED).copied().unwrap_or_default();
            self.tally.kept_of_dead += u64::from(shows < count && read.origin == Origin::Kept);
            self.tally.made_of_dead += u64::from(shows >= count);
        }
    }

    async fn replace_nodes(&mut self) -> anyhow::Result<()> {
        for _ in 0..self.fleet.members.len() {
            // The oldest stands first.
            self.fleet.retire(0).await?;
            self.fleet.add_node().await?;
            self.tally.replaced += 1;
            sleep(self.lease / 2).await;
        }
        Ok(())
    }

    async fn cut_node_off(&mut self) -> anyhow::Result<()> {
        let victim = self.victim();
        let how = if self.random.random_bool(0.5) { Wire::Cut } else { Wire::Stalled };
        self.fleet.members[victim].wire.set(how);
        let cut = self.clients.now();
        sleep(self.lease * 2).await;
        let mended = self.clients.now();
        self.fleet.members[victim].wire.set(Wire::Open);
        self.no_lease(victim, cut, mended);
        self.count_meanwhile(cut, mended);
        Ok(())
    }

    async fn delay_node(&mut self) -> anyhow::Result<()> {
        let victim = self.victim();
        let before = self.fleet.members[victim].wire.delayed();
        self.fleet.members[victim].wire.set(Wire::Slow(self.lease / 10));
        let from = self.clients.now();
        sleep(self.lease * 3).await;
        let to = self.clients.now();
        self.fleet.members[victim].wire.set(Wire::Open);
        self.tally.delayed += self.fleet.members[victim].wire.delayed() - before;
        self.count_meanwhile(from, to);
        Ok(())
    }

    /// Empties the log while a node has not read all of it.
    async fn trim_log(&mut self) -> anyhow::Result<()> {
        let victim = self.victim();
        // What is pushed meanwhile is lost to it.
        self.fleet.members[victim].wire.set(Wire::Cut);
        sleep(self.lease / 2).await;
        let trimmed = self.fleet.redis.command(&format!("XTRIM {{cb:{NAMESPACE}:rc}}:log MAXLEN 0")).await?;
        self.tally.trimmed += number(&trimmed);
        self.fleet.members[victim].wire.set(Wire::Open);
        Ok(())
    }

    async fn stop_redis(&mut self, pause: Duration) -> anyhow::Result<()> {
        self.fleet.redis.signal(Signal::STOP)?;
        let stopped = self.clients.now();
        sleep(pause).await;
        let goes_on = self.clients.now();
        self.fleet.redis.signal(Signal::CONT)?;
        for place in 0..self.fleet.members.len() {
            self.no_lease(place, stopped, goes_on);
        }
        sleep(self.lease).await;
        let seen = self.clients.seen.borrow();
        let waited = seen
            .writes
            .iter()
            .filter(|write| write.sent < goes_on && write.ended > goes_on && write.count.is_some());
        self.tally.writes_waited += waited.count() as u64;
        Ok(())
    }

    async fn kill_redis(&mut self, memory: Memory, pause: Duration) -> anyhow::Result<()> {
        let before = self.epoch().await?;
        self.fleet.redis.kill().await?;
        let killed = self.clients.now();
        sleep(pause).await;
        let comes_back = self.clients.now();
        self.fleet.redis.revive(memory).await?;
        self.fleet.lead_to_redis();
        for place in 0..self.fleet.members.len() {
            self.no_lease(place, killed, comes_back);
        }
        self.tally.redis_killed += 1;
        self.wait_for_epoch(before).await?;
        sleep(self.lease).await;
        Ok(())
    }

    /// Starts a node while Redis is down, which is asked as soon as it listens, and takes the oldest out of service.
    async fn start_node_without_redis(&mut self) -> anyhow::Result<()> {
        let before = self.epoch().await?;
        self.fleet.redis.kill().await?;
        let killed = self.clients.now();
        let member = self.fleet.start_node().await?;
        let place = self.fleet.admit(member).await?;
        sleep(self.lease).await;
        let comes_back = self.clients.now();
        self.fleet.redis.revive(Memory::Lost).await?;
        self.fleet.lead_to_redis();
        for place in 0..self.fleet.members.len() {
            self.no_lease(place, killed, comes_back);
        }
        self.tally.redis_killed += 1;
        self.wait_for_epoch(before).await?;
        let (pid, started) = (self.fleet.pid(place), Instant::now());
        while started.elapsed() < SOON {
            if self.clients.read(pid, DECLARED_PAGE, None, &mut <_>::default()).await == Some(Origin::Kept) {
                self.tally.kept_by_newcomer += 1;
                break;
            }
            sleep(LOOK).await;
        }
        self.fleet.retire(0).await
    }

    /// A node could not renew its lease in this time.
    fn no_lease(&mut self, place: usize, from: u64, to: u64) {
        // It may have been granted one just before.
        let from = from + micros(self.lease);
        if from < to {
            self.lapses.push(Lapse { pid: self.fleet.pid(place), from, to });
        }
    }

    /// Counts the writes that were asked and done in this time.
    fn count_meanwhile(&mut self, from: u64, to: u64) {
        let seen = self.clients.seen.borrow();
        let within = |write: &&Write| write.sent > from && write.ended < to && write.count.is_some();
        self.tally.written_meanwhile += seen.writes.iter().filter(within).count() as u64;
    }

    /// How many pages a node was asked for before this moment and gave after it.
    fn reads_over(&self, at: u64, pid: u32) -> u64 {
        let seen = self.clients.seen.borrow();
        let over = |read: &&Read| read.asked == pid && read.sent < at && read.ended > at;
        seen.reads.iter().filter(over).count() as u64
    }

    /// Whether a page came since then from a node without a lease.
    fn has_seen_fenced(&self, since: u64) -> bool {
        let seen = self.clients.seen.borrow();
        seen.reads.iter().any(|read| read.ended > since && read.origin == Origin::Fenced)
    }

    /// When the log began; nothing while there is none.
    async fn epoch(&self) -> anyhow::Result<String> {
        Ok(self.fleet.redis.command(&format!("HGET {{cb:{NAMESPACE}:rc}}:inc began")).await?.concat())
    }

    /// Waits until there is another log than before.
    async fn wait_for_epoch(&mut self, before: String) -> anyhow::Result<()> {
        let started = Instant::now();
        while started.elapsed() < SOON {
            let epoch = self.epoch().await?;
            if !epoch.is_empty() && epoch != before {
                self.tally.epochs += 1;
                break;
            }
            sleep(LOOK).await;
        }
        Ok(())
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The number that Redis answered.
fn number(answer: &[String]) -> u64 {
    answer.concat().trim_start_matches(':').parse().unwrap_or(0)
}
