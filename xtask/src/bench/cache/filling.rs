//! What a kept page takes of memory besides its bytes and its key.
//!
//! Asked is the operating system: how much more a node has resident after so many pages than before. So what the allocator
//! rounds up and what the table of entries keeps free count as well.

use std::path::Path;

use anyhow::ensure;

use crate::bench::{
    contest::is_hit,
    line::{Line, page_request},
    server::{self, Server},
};

/// Enough for every page that anybody would measure.
const BYTES_MAX: &str = "8000000000";

/// How many are asked for at once.
const CONNECTIONS: usize = 64;

/// Names have the same length from here on.
const FIRST: u32 = 1_000_000_000;

/// What a page takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overhead {
    pub(super) entries: u32,
    /// Its bytes.
    pub(super) body_bytes: usize,
    /// Its host and its path.
    pub(super) key_bytes: usize,
    /// Everything else.
    pub(super) other_bytes: f64,
}

/// Fills the cache of a node with so many small pages of eight tags.
pub(super) fn overhead(workload: &Path, entries: u32) -> anyhow::Result<Overhead> {
    let state = tempfile::tempdir()?;
    let mut command = server::node(workload);
    command.args(["--render-cache-bytes-max", BYTES_MAX]).arg("--state-dir").arg(state.path());
    let node = Server::start("node", &mut command)?;
    // What connections and renders need was needed once by then.
    let warm_up = (entries / 100).max(100);
    fill(&node, FIRST, warm_up)?;
    let before = node.resident_bytes()?;
    fill(&node, FIRST + warm_up, entries)?;
    let grown = node.resident_bytes()?.saturating_sub(before);
    let mut line = Line::open(&node.address, "")?;
    let mut body_bytes = 0;
    for place in [0, entries / 2, entries - 1] {
        line.send_other(&page_request(&node.address, &path(FIRST + warm_up + place)))?;
        let answer = line.receive()?;
        ensure!(is_hit(&answer), "page {place} of {entries} is not kept");
        body_bytes = answer.body.len();
    }
    let key_bytes = node.address.len() + path(FIRST).len();
    let other_bytes = grown as f64 / f64::from(entries) - (body_bytes + key_bytes) as f64;
    println!("{entries} entries: {grown} bytes more");
    Ok(Overhead { entries, body_bytes, key_bytes, other_bytes })
}

fn path(number: u32) -> String {
    format!("/eight-tags/{number}")
}

/// Asks for so many pages, one at a time on each connection.
fn fill(node: &Server, first: u32, count: u32) -> anyhow::Result<()> {
    let line = |_| Line::open(&node.address, "");
    let mut lines: Vec<Line> = (0..CONNECTIONS).map(line).collect::<Result<_, _>>()?;
    for from in (first..first + count).step_by(lines.len()) {
        let asked = (from..first + count).zip(&mut lines);
        let asked = asked.map(|(number, line)| {
            line.send_other(&page_request(&node.address, &path(number)))?;
            Ok(line)
        });
        let asked: Vec<&mut Line> = asked.collect::<anyhow::Result<_>>()?;
        asked.into_iter().try_for_each(|line| line.receive().map(drop))?;
    }
    Ok(())
}
