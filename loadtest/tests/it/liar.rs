//! A server with the actions and pages of the workload, in memory, that lies now and then: an oracle has to see it.
//!
//! It is one listener for clients and for what the admin port of a node says of the actions.

mod http;
mod model;
#[cfg(test)]
mod tests;

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

use self::model::Model;

/// One of so many answers that could be a lie is one.
pub(crate) const TRUTHS: usize = 10;

/// What is done otherwise than it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Nothing.
    Nothing,
    /// A call runs again, in another process.
    DuplicateStart,
    /// A call is answered done, and never runs.
    LostCall,
    /// A page is as it was when it was first seen.
    StalePage,
    /// A call of a key runs after the next one, although its client has been told that it was done.
    ReorderedKey,
    /// A call runs, and its client is told that it did not.
    FalseNotRun,
}

/// A server that lies; it ends when dropped.
pub(crate) struct Liar {
    pub(crate) address: String,
    accepts: AbortHandle,
}

impl Liar {
    /// Writes what it runs to this ledger.
    pub(crate) async fn start(lie: Lie, ledger: PathBuf) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let model = Arc::new(Mutex::new(Model::new(lie, ledger)));
        let accepts = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Connections end with their clients.
                tokio::spawn(serve(client, Arc::clone(&model)));
            }
        });
        Ok(Self { address, accepts: accepts.abort_handle() })
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

async fn serve(client: TcpStream, model: Arc<Mutex<Model>>) -> io::Result<()> {
    let mut connection = http::Connection::new(client);
    while let Some(request) = connection.request().await? {
        let answer = model.lock().unwrap_or_else(PoisonError::into_inner).answer(&request)?;
        connection.answer(&answer).await?;
    }
    Ok(())
}
