//! When which fault is done, and to whom.

use std::time::Duration;

use anyhow::{bail, ensure};
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng, seq::SliceRandom as _};

use super::fault::Fault;

/// How long nothing happens at first, so that there is something to compare with.
const LEAD: Duration = Duration::from_secs(5);

/// Most faults of a run.
const FAULTS_MAX: u128 = 10_000;

/// An appointment with a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Appointment {
    /// Since the run began.
    pub(crate) at: Duration,
    pub(crate) fault: Fault,
    /// Whom it hits: a number to be taken by the number of those that are there.
    pub(crate) lot: usize,
}

/// How long it takes to do this many faults, with this much time for each.
pub(crate) fn time_needed(faults: usize, each: Duration) -> Duration {
    LEAD + each * u32::try_from(faults).unwrap_or(u32::MAX)
}

/// Every fault equally often, in an order that the seed decides, `each` with time to recover after it.
///
/// # Errors
///
/// If there is too little time for each to be done once.
pub(crate) fn timetable(
    faults: &[Fault],
    warm_up: Duration,
    duration: Duration,
    each: Duration,
    seed: u64,
) -> anyhow::Result<Vec<Appointment>> {
    ensure!(!faults.is_empty(), "no fault is named; --faults names them");
    let places = duration.saturating_sub(LEAD).as_nanos() / each.as_nanos().max(1);
    let rounds = places.min(FAULTS_MAX) as usize / faults.len();
    if rounds == 0 {
        let needed = time_needed(faults.len(), each);
        let (count, needed, duration) = (faults.len(), needed.as_secs_f64(), duration.as_secs_f64());
        bail!(
            "{count} faults take {needed} s, more than {duration} s: ask for a longer --duration or fewer --faults"
        );
    }
    let mut random = SmallRng::seed_from_u64(seed);
    let mut appointments = Vec::new();
    for _ in 0..rounds {
        let mut round = faults.to_vec();
        round.shuffle(&mut random);
        for fault in round {
            // So that it does not always hit the same moment of whatever is done regularly.
            let jitter = each.mul_f64(random.random_range(0.0..0.1));
            let at = warm_up + LEAD + each * appointments.len() as u32 + jitter;
            appointments.push(Appointment { at, fault, lot: random.random_range(0..usize::MAX) });
        }
    }
    Ok(appointments)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: Duration = Duration::from_secs(15);

    fn of(seconds: u64, seed: u64) -> anyhow::Result<Vec<Appointment>> {
        let faults = [Fault::Kill, Fault::Pause, Fault::RedisRestart];
        timetable(&faults, Duration::from_secs(2), Duration::from_secs(seconds), EACH, seed)
    }

    #[test]
    fn each_fault_is_done_equally_often_and_has_time() {
        let appointments = of(100, 7).unwrap();
        assert_eq!(appointments.len(), 6);
        for fault in [Fault::Kill, Fault::Pause, Fault::RedisRestart] {
            assert_eq!(appointments.iter().filter(|appointment| appointment.fault == fault).count(), 2);
        }
        assert!(appointments[0].at >= Duration::from_secs(7));
        assert!(appointments.windows(2).all(|pair| pair[1].at >= pair[0].at + EACH.mul_f64(0.9)));
        assert!(appointments[5].at + EACH.mul_f64(0.9) <= Duration::from_secs(102));
    }

    #[test]
    fn a_seed_decides_everything() {
        assert_eq!(of(100, 7).unwrap(), of(100, 7).unwrap());
        assert!((0..20).any(|seed| of(100, seed).unwrap() != of(100, 7).unwrap()));
    }

    #[test]
    fn too_little_time_is_said_with_what_is_needed() {
        let refused = of(40, 1).unwrap_err().to_string();
        assert_eq!(
            refused,
            "3 faults take 50 s, more than 40 s: ask for a longer --duration or fewer --faults"
        );
    }
}
