//! Nodes as clients know them, and the connections that stay open between requests.

use std::{cell::RefCell, io};

use crate::cluster::http::{Answer, Connection};

/// Whom clients ask.
#[derive(Default)]
pub(crate) struct Targets(RefCell<Vec<Target>>);

struct Target {
    pid: u32,
    address: String,
    /// Whether new requests go there.
    serves: bool,
    idle: Vec<Connection>,
}

impl Targets {
    /// Clients may ask this node from now on.
    pub(crate) fn add(&self, pid: u32, address: String) {
        self.0.borrow_mut().push(Target { pid, address, serves: true, idle: Vec::new() });
    }

    /// Nobody asks this node any more. Who waits for its answer goes on waiting.
    pub(crate) fn remove(&self, pid: u32) {
        for target in self.0.borrow_mut().iter_mut().filter(|target| target.pid == pid) {
            target.serves = false;
            target.idle.clear();
        }
    }

    /// Those that clients ask now.
    pub(crate) fn serving(&self) -> Vec<u32> {
        let targets = self.0.borrow();
        targets.iter().filter(|target| target.serves).map(|target| target.pid).collect()
    }

    /// Sends a request to a node, on a connection of its own while it lasts, and waits for the answer.
    pub(crate) async fn ask(&self, pid: u32, request: &str) -> io::Result<Answer> {
        let mut connection = self.connection(pid).await?;
        let answer = connection.ask(request).await?;
        if answer.header("connection").is_none_or(|value| !value.eq_ignore_ascii_case("close")) {
            let mut targets = self.0.borrow_mut();
            if let Some(target) = targets.iter_mut().find(|target| target.pid == pid && target.serves) {
                target.idle.push(connection);
            }
        }
        Ok(answer)
    }

    async fn connection(&self, pid: u32) -> io::Result<Connection> {
        let address = {
            let mut targets = self.0.borrow_mut();
            let target = targets.iter_mut().find(|target| target.pid == pid);
            let target = target.ok_or_else(|| io::Error::other("there is no such node"))?;
            while let Some(connection) = target.idle.pop() {
                if connection.is_open() {
                    return Ok(connection);
                }
            }
            target.address.clone()
        };
        Connection::open(&address).await
    }
}
