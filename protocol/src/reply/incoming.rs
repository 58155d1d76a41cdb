//! Decoding while the body arrives.

use std::fmt;

use super::{Limits, ReplyError, Resolver, decoder::Decoder};
use crate::{Value, multipart::Part, value::Flow};

/// Decodes a multipart reply part by part, while the body arrives. Sans-IO.
///
/// The root is there with the last part that it needs; its promises and streams are settled and go on as later parts
/// are pushed. Clients send what a value refers to before the value, so a reference to a part that has not arrived is
/// an error; only promises, streams and the bound arguments of server references may still be to come. What holds a
/// server reference whose bound arguments are to come waits for them, and so does everything that is decoded
/// meanwhile, as the graph is published in order. The end of the body ends every wait.
///
/// Whatever was handed out is settled at the end, by an error, or when this is dropped: nobody hangs.
pub struct Incoming {
    decoder: Decoder,
    resolver: Box<dyn Resolver + Send>,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Open,
    Finished,
    Failed(ReplyError),
}

impl Incoming {
    /// Of a body of which nothing has arrived. `resolver` decides about server references; `flow` is what the promises
    /// and streams of this call share.
    #[must_use]
    pub fn new(limits: Limits, flow: Flow, resolver: Box<dyn Resolver + Send>) -> Self {
        let mut decoder = Decoder::new(0, 0, &limits);
        decoder.flow = Some(flow);
        Self { decoder, resolver, state: State::Open }
    }

    /// The next part. What comes after the end of the body is ignored.
    ///
    /// # Errors
    ///
    /// [`ReplyError`] if the reply is not React's encoding or exceeds a limit. That is final, for later calls too, and
    /// everything unsettled was rejected.
    #[expect(clippy::needless_pass_by_value, reason = "whoever pushes a part has no more use for it")]
    pub fn push(&mut self, part: Part) -> Result<(), ReplyError> {
        match &self.state {
            State::Open => {}
            State::Finished => return Ok(()),
            State::Failed(error) => return Err(error.clone()),
        }
        let pushed = self.decoder.add_part(&part, &*self.resolver);
        pushed.map_err(|error| self.fail(error))
    }

    /// The root, which need not be an array, as soon as it and what it refers to are there; a promise is awaited.
    #[must_use]
    pub fn root(&self) -> Option<Value> {
        self.decoder.root.clone()
    }

    /// Whether everything that was handed out is settled and ended, the root too.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let decoder = &self.decoder;
        decoder.root.is_some() && decoder.open == 0 && decoder.batch.first_unit == decoder.units.len()
    }

    /// The body is complete: promises that are not resolved are rejected, streams that are not closed break off.
    ///
    /// # Errors
    ///
    /// [`ReplyError`] if the root is among what never came, or an error was met before.
    pub fn finish(&mut self) -> Result<Value, ReplyError> {
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        let root = self.decoder.finish().map_err(|error| self.fail(error))?;
        self.decoder.abandon();
        self.state = State::Finished;
        Ok(root)
    }

    /// Elementary steps so far; see [`Limits::work_max`].
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.decoder.budget.steps()
    }

    fn fail(&mut self, error: ReplyError) -> ReplyError {
        self.decoder.abandon();
        self.state = State::Failed(error.clone());
        error
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.decoder.abandon();
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("state", &self.state).finish_non_exhaustive()
    }
}
