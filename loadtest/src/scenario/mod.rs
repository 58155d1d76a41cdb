//! What is asked, how often, and for how long.

mod parse;
mod problems;
mod reading;
mod schema;
mod shipped;
mod template;
#[cfg(test)]
mod tests;
mod text;

use std::{sync::Arc, time::Duration};

use callboard_protocol::Value;

pub(crate) use problems::instead;
pub(crate) use reading::is_path;
pub(crate) use schema::text as schema_text;
pub(crate) use shipped::{SHIPPED, shipped, shipped_names};
pub(crate) use template::Template;
pub(crate) use text::{Chosen, Text};

/// A scenario, as its TOML file says, with every default filled in.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) load: Load,
    /// At least one.
    pub(crate) operations: Vec<Operation>,
}

/// How often, for how long, and over what.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) rate: Rate,
    pub(crate) spacing: Spacing,
    pub(crate) warm_up: Duration,
    /// Without warm-up.
    pub(crate) duration: Duration,
    /// Most connections to each target.
    pub(crate) connections_max: usize,
    pub(crate) http: Http,
    /// How long an answer is waited for.
    pub(crate) timeout: Duration,
}

/// Requests per second, over time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rate {
    Constant(f64),
    /// From the first to the last, evenly, over the whole duration.
    Ramp {
        from: f64,
        to: f64,
    },
    /// One after the other. The last one holds until the end.
    Steps(Vec<(f64, Duration)>),
    /// Of each second of a recording; begins anew if the run is longer.
    Replay(Vec<f64>),
}

impl Load {
    /// How much of the rate's steps comes after the end of the load.
    pub(crate) fn steps_left(&self) -> Duration {
        match &self.rate {
            Rate::Steps(steps) => {
                let steps: Duration = steps.iter().map(|(_, time)| *time).sum();
                steps.saturating_sub(self.duration)
            }
            Rate::Constant(_) | Rate::Ramp { .. } | Rate::Replay(_) => Duration::ZERO,
        }
    }
}

/// How requests lie within that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spacing {
    /// Equal distances.
    Even,
    /// As of independent clients: a Poisson process.
    Poisson,
}

/// The protocol on the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Http {
    One,
    /// With prior knowledge on plain TCP, by ALPN on TLS.
    Two,
}

/// One kind of request.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) name: String,
    /// Its share, in relation to the weights of the others.
    pub(crate) weight: f64,
    pub(crate) picks: Picks,
    pub(crate) kind: Kind,
}

/// What `{pick}` may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Picks {
    /// A number below this.
    pub(crate) below: u32,
    /// Share of the requests that pick 0; all are equally likely without.
    pub(crate) first_share: Option<f64>,
}

/// What it does.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Action(Action),
    /// Gets a page with a form, fills it in and sends it as a browser without JavaScript does.
    Form(Form),
    Page(Page),
    /// Sends what no server may act on: bodies of published attacks and garbage.
    Hostile(Hostile),
}

/// A call as React's client sends it.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    /// Its name in the manifest.
    pub(crate) action: String,
    /// The path that is posted to.
    pub(crate) path: String,
    pub(crate) arguments: Arguments,
    /// Sent as multipart even where a string would do.
    pub(crate) multipart: bool,
    /// How often the call is sent with the same idempotency key; 0: without one.
    pub(crate) duplicates: u32,
    /// The client hangs up after that.
    pub(crate) abort_after: Option<Duration>,
    /// Bytes of the body per second, where the client is slow.
    pub(crate) bytes_per_second: Option<u32>,
    pub(crate) oracle: ActionOracle,
}

/// What the oracles may take the action for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActionOracle {
    None,
    /// Its arguments are account, number, ms; it writes itself down.
    Ledger(crate::observation::LedgerClass),
    /// Its argument is a tag.
    Bump,
}

/// Arguments, some of which are another in each call.
#[derive(Clone, Debug)]
pub(crate) enum Arguments {
    /// The same in each call.
    Fixed(Value),
    /// Made for each call.
    Template(Arc<Template>),
}

/// A form of a page.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) path: String,
    /// What a person types, with placeholders.
    pub(crate) fields: Vec<(String, String)>,
    /// How often it is sent, at once: somebody pressed the button again.
    pub(crate) sends: u32,
}

/// A page.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// May hold placeholders.
    pub(crate) path: String,
    /// Sends the `etag` that came last with `if-none-match`.
    pub(crate) conditional: bool,
    /// Shows the counters of its tags, as the workload's `/tagged/N` does.
    pub(crate) shows_counters: bool,
}

/// Bodies that are hostile.
#[derive(Clone, Debug)]
pub(crate) struct Hostile {
    /// The action that they are sent to.
    pub(crate) action: String,
}
