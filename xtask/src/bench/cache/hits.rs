//! What a kept page costs the server: at a node that is alone, at one of a cluster, at a bare server, and at nginx.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::bail;

use crate::bench::{
    PAGE_BYTES,
    contest::{Sample, Target, is_hit, sample},
    server::Server,
};

/// How long a node of a cluster may take until it serves what it keeps.
const KEEP_MAX: Duration = Duration::from_secs(10);

/// Four servers that give the same bytes.
pub(super) struct Contestants<'a> {
    bare: Target<'a>,
    nginx: Target<'a>,
    alone: Target<'a>,
    clustered: Target<'a>,
}

/// What each of them needed in a round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hits {
    pub(super) bare: Sample,
    pub(super) nginx: Sample,
    pub(super) alone: Sample,
    pub(super) clustered: Sample,
}

impl<'a> Contestants<'a> {
    pub(super) fn new(bare: &'a Server, nginx: &'a Server, alone: &'a Server, clustered: &'a Server) -> Self {
        let kept = format!("/page/{PAGE_BYTES}");
        Self {
            bare: Target::get(bare, "/page"),
            nginx: Target::get(nginx, "/page"),
            alone: Target::get(alone, &kept),
            clustered: Target::get(clustered, &kept),
        }
    }

    /// That they give the same bytes, and the nodes out of their caches.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let page = self.bare.answer()?.body;
        if self.nginx.answer()?.body != page {
            bail!("nginx and the bare server give different bytes");
        }
        for node in [&self.alone, &self.clustered] {
            let started = Instant::now();
            while !is_hit(&node.answer()?) {
                if started.elapsed() > KEEP_MAX {
                    bail!("{} does not come from the cache", node.url());
                }
            }
            if node.answer()?.body != page {
                bail!("{} and the bare server give different bytes", node.url());
            }
        }
        Ok(())
    }

    /// Drives each of them in turn.
    pub(super) fn hits(&self, seconds: u32) -> anyhow::Result<Hits> {
        let hits = Hits {
            bare: sample(&self.bare, seconds)?,
            alone: sample(&self.alone, seconds)?,
            clustered: sample(&self.clustered, seconds)?,
            nginx: sample(&self.nginx, seconds)?,
        };
        // What was measured is what was meant.
        self.check()?;
        Ok(hits)
    }
}

impl fmt::Display for Hits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bare, nginx, alone, clustered } = self;
        write!(
            formatter,
            "{:.2} us per hit alone, {:.2} in a cluster, {:.2} bare, {:.2} nginx",
            alone.cpu_us_per_call, clustered.cpu_us_per_call, bare.cpu_us_per_call, nginx.cpu_us_per_call
        )
    }
}

/// The CPU of one over that of another.
pub(super) fn cpu_ratio(one: &Sample, other: &Sample) -> f64 {
    one.cpu_us_per_call / other.cpu_us_per_call
}
