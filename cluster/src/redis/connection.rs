//! One connection of calls to a master.

use std::{fmt, sync::Arc};

use callboard_protocol::identity::Incarnation;

use super::{
    Settings,
    failures::OpenError,
    keys::Keys,
    link::{Link, Opened},
    store,
};
use crate::{
    core,
    store::{Answer, Command, Failure},
};

/// A connection to the master that has the keys. It does not come back by itself: once it is
/// [`closed`](Self::closed), open another.
pub struct Connection {
    pub(crate) link: Link<Keys>,
    place: String,
}

impl Connection {
    /// Finds the master, connects to it, and learns which memory it is. `role` is what the connection is for: a read that
    /// waits holds up whatever is asked after it, so each of the two readers has its own.
    ///
    /// # Errors
    ///
    /// [`OpenError`], which says what to do about it. None of them is for ever: the master may be back in a moment.
    pub async fn open(
        settings: &Arc<Settings>,
        role: core::Connection,
    ) -> Result<(Self, Incarnation), OpenError> {
        let keys = Keys::new(&settings.namespace, settings.lane);
        let opening = async {
            let Opened { mut link, place, incarnation } = Link::open(settings, keys, |_| {}).await?;
            if role == core::Connection::Commands {
                link.probe(&place).await?;
            }
            let name = link.keys.memory();
            link.remember(&name, &place).await?;
            // A restart may keep what Redis remembers, and a flush keeps the server.
            let incarnation = Incarnation::named(&format!("{}-{}", incarnation.as_str(), link.memory));
            Ok((Self { link, place }, incarnation))
        };
        settings.in_time(opening).await
    }

    /// Performs a command. It is on its way when this returns, so commands arrive in the order of these calls; dropping
    /// the future does not call it back.
    ///
    /// Reads wait for [`Settings::block`]; nothing else has a limit in time, as whoever asks has one.
    ///
    /// # Errors
    ///
    /// The future gives [`Failure::Refused`] where Redis certainly did not execute the command, and [`Failure::Silent`]
    /// where that is not known. After either, the connection may be [`closed`](Self::closed).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn perform(&self, command: Command) -> impl Future<Output = Result<Answer, Failure>> + Send + use<> {
        self.link.perform(store::perform(self.link.clone(), command))
    }

    /// Waits until the connection is of no use any more, and says why: it broke, or the other side is the master no more.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn closed(&self) -> String {
        self.link.closed().await
    }
}

/// Commands that were not answered are [`Failure::Silent`].
impl Drop for Connection {
    fn drop(&mut self) {
        self.link.end("closed by this node");
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("place", &self.place).finish_non_exhaustive()
    }
}
