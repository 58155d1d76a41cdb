//! What each operation asks, and what for.

mod body;
mod call;
mod draws;
mod fill_in;
mod hostile;
mod html;
mod read;
#[cfg(test)]
mod tests;
mod together;

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use hyper::header::HeaderValue;

use crate::{
    client::Request,
    observation::{End, Subject, TargetId},
    scenario::{self, Kind, Scenario, instead},
    target::Catalogue,
};
use call::Call;
use draws::Draws;
use fill_in::FillIn;
use hostile::Attacks;
use read::Read;

/// Whom operations ask through: the engine, which sends, counts and lets the oracles judge.
pub(crate) trait Asks {
    /// Whom to ask now; nobody, if no target serves.
    fn choose(&self) -> Option<TargetId>;

    /// Sends a request, waits for its end, counts it and lets the oracles judge it.
    fn ask(&self, asked: Asked, request: Request) -> impl Future<Output = End>;
}

/// Which request it is.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The place of its operation in the scenario.
    pub(crate) operation: usize,
    pub(crate) target: TargetId,
    pub(crate) intended: Duration,
    pub(crate) subject: Subject,
    /// It only prepares what is measured, such as the page of a form: counted as nothing.
    pub(crate) is_preparation: bool,
}

/// The operations of a scenario, ready to be performed.
pub(crate) struct Operations {
    ready: Vec<(String, Ready)>,
    /// Weights, each with those before it.
    weights: Vec<f64>,
    draws: Draws,
    /// What could not be asked, why, and how often.
    unasked: RefCell<BTreeMap<String, u64>>,
}

/// An operation that is ready.
enum Ready {
    Call(Call),
    FillIn(FillIn),
    Read(Read),
    Attacks(Attacks),
}

impl Operations {
    /// Of a scenario, against servers whose actions are these.
    ///
    /// # Errors
    ///
    /// Every action that there is not, and every argument that cannot be encoded, at once.
    pub(crate) fn new(scenario: &Scenario, catalogue: &Catalogue, seed: u64) -> anyhow::Result<Self> {
        let draws = Draws::new(seed);
        let (mut ready, mut wrong) = (Vec::new(), Vec::new());
        for operation in &scenario.operations {
            match Ready::new(operation, catalogue, &draws.boundary()) {
                Ok(it) => ready.push((operation.name.clone(), it)),
                Err(what) => wrong.push(format!("{}, operation `{}`: {what}", scenario.name, operation.name)),
            }
        }
        if !wrong.is_empty() {
            anyhow::bail!("{}", wrong.join("\n"));
        }
        let weights = scenario.operations.iter().scan(0.0, |sum, operation| {
            *sum += operation.weight;
            Some(*sum)
        });
        Ok(Self { ready, weights: weights.collect(), draws, unasked: RefCell::default() })
    }

    /// Draws an operation by the weights.
    pub(crate) fn draw(&self) -> usize {
        self.draws.place(&self.weights)
    }

    /// Performs one that should begin at this time. All that it asks is intended for then.
    pub(crate) async fn perform<A: Asks>(&self, operation: usize, intended: Duration, asks: &A) {
        let (name, ready) = &self.ready[operation];
        let draws = &self.draws;
        match ready {
            Ready::Call(call) => call.perform(operation, intended, draws, asks).await,
            Ready::Read(read) => read.perform(operation, intended, draws, asks).await,
            Ready::Attacks(attacks) => attacks.perform(operation, intended, draws, asks).await,
            Ready::FillIn(form) => {
                if let Err(why) = form.perform(operation, intended, draws, asks).await {
                    let mut unasked = self.unasked.borrow_mut();
                    *unasked.entry(format!("`{name}` was not sent: {why}")).or_default() += 1;
                }
            }
        }
    }

    /// What could not be asked as a preparation failed, why, and how often: counted nowhere else.
    #[must_use]
    pub(crate) fn unasked(&self) -> BTreeMap<String, u64> {
        self.unasked.borrow().clone()
    }
}

impl Ready {
    fn new(operation: &scenario::Operation, catalogue: &Catalogue, boundary: &str) -> Result<Self, String> {
        Ok(match &operation.kind {
            Kind::Action(action) => {
                let reference = reference(&action.action, catalogue)?;
                let call = Call::new(action, reference, operation.picks, boundary, catalogue.kind);
                Self::Call(call.map_err(|error| format!("the arguments cannot be sent: {error}"))?)
            }
            Kind::Form(form) => Self::FillIn(FillIn::new(form, operation.picks, boundary)),
            Kind::Page(page) => Self::Read(Read::new(page, operation.picks)),
            Kind::Hostile(hostile) => Self::Attacks(Attacks::new(&reference(&hostile.action, catalogue)?)),
        })
    }
}

/// What clients call an action by.
fn reference(action: &str, catalogue: &Catalogue) -> Result<HeaderValue, String> {
    let Some(reference) = catalogue.references.get(action) else {
        if catalogue.references.is_empty() {
            return Err(format!("the target has no action `{action}`, and no other"));
        }
        let known = catalogue.references.keys().map(String::as_str);
        return Err(format!("the target has no action `{action}`; {}", instead(action, known)));
    };
    HeaderValue::try_from(reference).map_err(|_| format!("the reference of `{action}` fits no header"))
}
