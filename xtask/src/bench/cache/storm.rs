//! Everybody asks at once for a page that was just revalidated: how often it is rendered.

use anyhow::{Context as _, bail, ensure};

use crate::bench::{
    contest::is_hit,
    line::{Call, Line, page_request},
    server::{self, Answer, Server},
};

/// What the page carries.
pub(super) const TAG: &str = "counted";

/// A page that takes so many milliseconds, long enough that most of those who ask come meanwhile. It shows how many
/// renders of it had begun.
const PAGE: &str = "/counted/500";

/// How many renders of it have begun.
const RENDERS: &str = "/renders";

/// What came of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storm {
    pub(super) requests: usize,
    /// Requests that waited for a render; the others came when it was kept.
    pub(super) waited: usize,
    /// By the count of the page itself.
    pub(super) renders: u64,
}

impl Storm {
    /// One render is all that it may cost.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let Self { requests, renders, .. } = self;
        ensure!(*renders == 1, "{requests} requests for a page that was revalidated made {renders} renders");
        Ok(())
    }
}

/// Revalidates the page again and again, and has so many ask for it each time.
pub(super) fn run(
    node: &Server,
    revalidate: &Call,
    storms: u32,
    requests: u32,
) -> anyhow::Result<Vec<Storm>> {
    server::request(&node.address, "GET", PAGE, &[], "")?;
    let line = |_| Line::open(&node.address, &page_request(&node.address, PAGE));
    let mut lines: Vec<Line> = (0..requests).map(line).collect::<Result<_, _>>()?;
    // All of them are open, and have seen the page as it was.
    lines.iter_mut().try_for_each(|line| line.ask().map(drop))?;
    let storms = (1..=storms).map(|number| {
        let storm = storm(node, revalidate, &mut lines)?;
        println!(
            "storm {number}: {} requests, of which {} waited: {} renders",
            storm.requests, storm.waited, storm.renders
        );
        Ok(storm)
    });
    storms.collect()
}

fn storm(node: &Server, revalidate: &Call, lines: &mut [Line]) -> anyhow::Result<Storm> {
    let before = renders(node)?;
    let answer = revalidate.ask(&node.address)?;
    if answer.status != 200 {
        bail!("the revalidation is answered {}", answer.status);
    }
    lines.iter_mut().try_for_each(Line::send)?;
    let answers: Vec<Answer> = lines.iter_mut().map(Line::receive).collect::<Result<_, _>>()?;
    for answer in &answers {
        let shown = number(&answer.body)?;
        ensure!(shown > before, "after the revalidation somebody was given render {shown} of {before}");
    }
    let waited = answers.iter().filter(|answer| !is_hit(answer)).count();
    Ok(Storm { requests: answers.len(), waited, renders: renders(node)? - before })
}

fn renders(node: &Server) -> anyhow::Result<u64> {
    number(&server::request(&node.address, "GET", RENDERS, &[], "")?.body)
}

fn number(body: &[u8]) -> anyhow::Result<u64> {
    std::str::from_utf8(body)?.parse().context("the page shows no number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_render_fails_the_run() {
        let storm = |renders| Storm { requests: 10_000, waited: 9_999, renders };
        assert!(storm(1).check().is_ok());
        assert!(storm(2).check().is_err());
    }
}
