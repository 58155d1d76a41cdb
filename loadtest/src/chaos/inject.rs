//! How each fault is done, and what is seen of it meanwhile.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep, timeout};

use super::{
    fault::{Effects, Fault},
    fleet::Fleet,
};
use crate::{engine::Handle, machine::proxy::Wire};

/// How often somebody looks who is a member.
const LOOK: Duration = Duration::from_millis(20);

/// How long a balancer takes to see that a node does not answer.
const EJECT: Duration = Duration::from_secs(2);

/// A fault that is over.
pub(super) struct Injected {
    pub(super) victim: String,
    pub(super) effects: Effects,
    /// Until the others knew.
    pub(super) detection: Option<Duration>,
}

/// Does faults to a cluster under load.
pub(super) struct Injector {
    pub(super) fleet: Fleet,
    pub(super) load: Handle,
    /// How long a node is paused or cut off.
    pub(super) outage: Duration,
}

impl Injector {
    /// Does a fault, once, and what ends it.
    pub(super) async fn inject(&mut self, fault: Fault, lot: usize) -> anyhow::Result<Injected> {
        self.fleet.check_alive()?;
        let place = lot % self.fleet.members.len();
        let before = self.fleet.sessions().await?;
        let victim = match fault {
            Fault::Kill | Fault::Pause | Fault::Partition => {
                format!("node {}", self.fleet.members[place].number)
            }
            Fault::RedisRestart | Fault::RedisFlush => "redis-server".to_owned(),
            Fault::Rolling => "every node".to_owned(),
        };
        let process = match fault {
            Fault::Kill | Fault::Pause | Fault::Partition => {
                Some(self.fleet.members[place].node.process.id())
            }
            Fault::RedisRestart | Fault::RedisFlush | Fault::Rolling => None,
        };
        self.load.breaks(process);
        let mut injected = Injected { victim, effects: Effects::default(), detection: None };
        match fault {
            Fault::Kill => self.kill(place, &before, &mut injected).await?,
            Fault::Pause => self.pause(place, &before, &mut injected).await?,
            Fault::Partition => self.cut_off(place, &before, &mut injected).await?,
            Fault::RedisRestart => {
                self.fleet.restart_redis().await?;
                injected.effects.redis_restarts = 1;
            }
            Fault::RedisFlush => {
                injected.effects.keys_lost = self.fleet.keys().await?;
                self.fleet.redis.command("FLUSHALL").await?;
            }
            Fault::Rolling => injected.effects.replaced = self.replace_all().await?,
        }
        let after = self.fleet.sessions().await?;
        let ended = before.iter().filter(|session| !after.contains(session));
        injected.effects.sessions_ended = ended.count() as u64;
        Ok(injected)
    }

    async fn kill(&mut self, place: usize, before: &[String], injected: &mut Injected) -> anyhow::Result<()> {
        let began = Instant::now();
        self.load.silenced(self.fleet.members[place].target);
        let process = self.fleet.kill(place).await?;
        self.load.killed(process);
        injected.effects.killed = 1;
        injected.detection = self.wait_for_an_end(before, began).await;
        self.fleet.add().await
    }

    async fn pause(
        &mut self,
        place: usize,
        before: &[String],
        injected: &mut Injected,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        let target = self.fleet.members[place].target;
        self.load.silenced(target);
        self.fleet.members[place].node.process.signal(Signal::STOP)?;
        let eject = async {
            sleep(EJECT.min(self.outage)).await;
            self.fleet.eject(place);
        };
        let watch = async {
            let detection = self.wait_for_an_end(before, began).await;
            sleep(self.outage.saturating_sub(began.elapsed())).await;
            detection
        };
        let ((), detection) = tokio::join!(eject, watch);
        injected.detection = detection;
        self.fleet.members[place].node.process.signal(Signal::CONT)?;
        self.fleet.readmit(place).await?;
        self.load.answers_again(target);
        Ok(())
    }

    async fn cut_off(
        &mut self,
        place: usize,
        before: &[String],
        injected: &mut Injected,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        self.fleet.members[place].wire.set(Wire::Cut);
        injected.detection = self.wait_for_an_end(before, began).await;
        sleep(self.outage.saturating_sub(began.elapsed())).await;
        self.fleet.members[place].wire.set(Wire::Open);
        self.fleet.readmit(place).await
    }

    async fn replace_all(&mut self) -> anyhow::Result<u64> {
        let nodes = self.fleet.members.len();
        for _ in 0..nodes {
            // The new one comes before the old one goes.
            self.fleet.add().await?;
            self.fleet.retire_oldest().await?;
        }
        Ok(nodes as u64)
    }

    /// How long it took until one of these memberships was over, if that takes no longer than the outage.
    async fn wait_for_an_end(&self, before: &[String], began: Instant) -> Option<Duration> {
        let ended = async {
            loop {
                // Redis may be away for a moment.
                if let Ok(now) = self.fleet.sessions().await
                    && before.iter().any(|session| !now.contains(session))
                {
                    return began.elapsed();
                }
                sleep(LOOK).await;
            }
        };
        timeout(self.outage, ended).await.ok()
    }
}
