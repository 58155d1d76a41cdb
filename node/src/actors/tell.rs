//! Messages that must not be lost.

use actix::{Actor, Addr, Handler, Message, dev::ToEnvelope};

/// Tells an actor something that follows from what was admitted before: the end of a call, the answer to a command, a
/// piece that there was room for. So how many there are is bounded where calls, commands and room are, and the bound of
/// the mailbox is for what comes from outside.
pub(crate) trait Tell<M> {
    /// Puts a message into the mailbox, whatever is there already.
    fn tell(&self, message: M);
}

impl<A, M> Tell<M> for Addr<A>
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    #[expect(clippy::disallowed_methods, reason = "the one place, for what is bounded elsewhere")]
    fn tell(&self, message: M) {
        self.do_send(message);
    }
}
