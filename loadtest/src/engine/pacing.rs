//! When operations begin.

use std::{rc::Rc, time::Duration};

use tokio::task::{coop::consume_budget, spawn_local, yield_now};

use super::{Asking, Performs, Run, timer::Timer};
use crate::arrivals::Arrivals;

/// How many begin before those that began get their turn.
const BATCH: usize = 16;

/// How late the last ones may begin after load ended, when they were due before.
const LATE_MAX: Duration = Duration::from_millis(100);

impl<P: Performs> Run<P> {
    /// Begins operations when they are due.
    pub(super) async fn open(&self, in_flight_max: usize) -> anyhow::Result<()> {
        let load = &self.scenario.load;
        let end = load.warm_up + load.duration;
        let mut arrivals = Arrivals::new(load, self.seed);
        let timer = Timer::new()?;
        let mut batch = 0;
        let mut was_deferred = false;
        while !self.shared.is_stopped() {
            let now = self.shared.now();
            let Some(due) = arrivals.peek() else { break };
            if due > now {
                batch = 0;
                tokio::select! {
                    biased;
                    slept = timer.sleep(due.saturating_sub(now)) => slept?,
                    () = self.shared.stopped.notified() => {}
                }
            } else if now > end + LATE_MAX {
                self.never_sent(end, arrivals.left());
                break;
            } else if self.shared.under_way.get() >= in_flight_max {
                was_deferred = true;
                self.wait_for_room((end + LATE_MAX).saturating_sub(now)).await;
            } else {
                if std::mem::take(&mut was_deferred) {
                    self.shared.generator.borrow_mut().deferred();
                    self.begin(due, false);
                } else {
                    self.begin(due, true);
                }
                arrivals.next();
                batch += 1;
                if batch % BATCH == 0 {
                    yield_now().await;
                }
            }
        }
        Ok(())
    }

    fn never_sent(&self, end: Duration, count: u64) {
        self.shared.generator.borrow_mut().never_sent(count);
        let last = end.saturating_sub(Duration::from_nanos(1));
        self.shared.recorder.borrow_mut().never_sent(last, count);
    }

    async fn wait_for_room(&self, time: Duration) {
        tokio::select! {
            () = self.shared.one_ended.notified() => {}
            () = self.shared.stopped.notified() => {}
            () = tokio::time::sleep(time) => {}
        }
    }

    fn begin(&self, due: Duration, is_on_time: bool) {
        let operations = Rc::clone(&self.operations);
        let asking = Asking::new(Rc::clone(&self.shared), due, is_on_time);
        spawn_local(async move {
            operations.perform(operations.draw(), due, &asking).await;
        });
    }

    /// Begins an operation where one has ended.
    pub(super) async fn saturate(&self) {
        let load = &self.scenario.load;
        let end = load.warm_up + load.duration;
        let count = load.connections_max * self.shared.targets.places().len();
        for _ in 0..count.min(self.limits.in_flight_max) {
            let (shared, operations) = (Rc::clone(&self.shared), Rc::clone(&self.operations));
            spawn_local(async move {
                while shared.now() < end && !shared.is_stopped() {
                    let now = shared.now();
                    let asking = Asking::new(Rc::clone(&shared), now, false);
                    operations.perform(operations.draw(), now, &asking).await;
                    // Where nobody serves, nothing else waits.
                    consume_budget().await;
                }
            });
        }
        while self.shared.now() < end && !self.shared.is_stopped() {
            tokio::select! {
                () = tokio::time::sleep(end.saturating_sub(self.shared.now())) => {}
                () = self.shared.stopped.notified() => {}
            }
        }
    }
}
