//! One round: calls that are passed on and calls that stay, one at a time and as many as there can be.

use std::time::Duration;

use super::Options;
use crate::bench::{
    ECHO_BODY,
    contest::Target,
    line::{Call, Line, times},
    nodes::Nodes,
    server::Server,
    statistics::median_of,
    store::{Commands, Redis},
    wrk::{self, Driven},
};

/// How often a round goes from round trips to calls that are passed on and to those that stay.
const TURNS: usize = 8;

/// How many of each in a turn.
const CALLS: usize = 250;

/// How many of each in a round.
pub(super) const CALLS_PER_ROUND: usize = TURNS * CALLS;

/// Medians of one call at a time, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Idle {
    pub(super) round_trip_us: f64,
    pub(super) routed_us: f64,
    pub(super) local_us: f64,
}

impl Idle {
    pub(super) fn added_round_trips(&self) -> f64 {
        (self.routed_us - self.local_us) / self.round_trip_us
    }
}

/// As many calls as there can be, at one node.
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) driven: Driven,
    /// Server CPU per call: the node that was asked, the one that ran the call if that is another, Redis.
    pub(super) cpu_us: [f64; 3],
    pub(super) commands: Commands,
}

impl Load {
    pub(super) fn per_second(&self) -> f64 {
        self.driven.answers / self.driven.seconds
    }

    pub(super) fn commands_per_call(&self) -> f64 {
        self.commands.sent() / self.driven.answers
    }

    /// How many calls share one of these.
    pub(super) fn calls_per(&self, count: impl Fn(&Commands) -> f64) -> f64 {
        self.driven.answers / count(&self.commands)
    }
}

/// All of it in one round.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub(super) idle: Idle,
    pub(super) routed: Load,
    pub(super) local: Load,
}

impl Round {
    pub(super) fn throughput_ratio(&self) -> f64 {
        self.routed.per_second() / self.local.per_second()
    }
}

/// Who is asked, and for what.
pub(super) struct Course<'a> {
    redis: &'a Redis,
    call: &'a Call,
    asked: &'a Server,
    owner: &'a Server,
    connections: u32,
}

impl<'a> Course<'a> {
    /// Calls that this node runs are asked for there, and at another.
    pub(super) fn new(
        redis: &'a Redis,
        nodes: &'a Nodes<'_>,
        owner: usize,
        call: &'a Call,
        connections: u32,
    ) -> Self {
        let other = usize::from(owner == 0);
        Self { redis, call, asked: nodes.server(other), owner: nodes.server(owner), connections }
    }

    /// The rounds, after a warm-up.
    pub(super) fn run(&self, options: &Options) -> anyhow::Result<Vec<Round>> {
        self.idle()?;
        self.load(self.asked, 1)?;
        self.load(self.owner, 1)?;
        (1..=options.rounds).map(|number| self.round(number, options.seconds)).collect()
    }

    fn round(&self, number: u32, seconds: u32) -> anyhow::Result<Round> {
        let (idle, routed) = (self.idle()?, self.load(self.asked, seconds)?);
        let round = Round { idle, routed, local: self.load(self.owner, seconds)? };
        println!(
            "round {number}: ({:.0} - {:.0}) / {:.0} us = {:.2} round trips, {:.3} commands per call, \
             {:.0} / {:.0} calls per second = {:.3}",
            idle.routed_us,
            idle.local_us,
            idle.round_trip_us,
            idle.added_round_trips(),
            round.routed.commands_per_call(),
            round.routed.per_second(),
            round.local.per_second(),
            round.throughput_ratio(),
        );
        Ok(round)
    }

    fn idle(&self) -> anyhow::Result<Idle> {
        let mut redis = self.redis.connect()?;
        let line = |at: &Server| Line::open(&at.address, &self.call.request(&at.address));
        let (mut routed, mut local) = (line(self.asked)?, line(self.owner)?);
        let [mut round_trips, mut routed_us, mut local_us] = [const { Vec::new() }; 3];
        for _ in 0..TURNS {
            times(CALLS, &mut round_trips, || redis.ping())?;
            times(CALLS, &mut routed_us, || routed.ask())?;
            times(CALLS, &mut local_us, || local.ask())?;
        }
        Ok(Idle {
            round_trip_us: median_of(round_trips),
            routed_us: median_of(routed_us),
            local_us: median_of(local_us),
        })
    }

    fn load(&self, at: &Server, seconds: u32) -> anyhow::Result<Load> {
        let mut target = Target::post(at, "/", ECHO_BODY).connections(self.connections);
        target.headers = self.call.headers();
        let before = (self.cpu_times(at)?, self.redis.commands()?);
        let driven = wrk::drive(&target, seconds)?;
        let commands = self.redis.commands()?.since(&before.1);
        let after = self.cpu_times(at)?;
        let cpu_us = [0, 1, 2]
            .map(|place| after[place].saturating_sub(before.0[place]).as_secs_f64() * 1e6 / driven.answers);
        Ok(Load { driven, cpu_us, commands })
    }

    fn cpu_times(&self, at: &Server) -> anyhow::Result<[Duration; 3]> {
        let owner = if at.id() == self.owner.id() { Duration::ZERO } else { self.owner.cpu_time()? };
        Ok([at.cpu_time()?, owner, self.redis.cpu_time()?])
    }
}
