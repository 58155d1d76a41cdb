//! Pictures of what an engineer on call looks at: the status page, and dashboards, whose plots Prometheus' own page draws.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};

use super::{
    boards::{BOARDS, Board},
    live::escaped,
};
use crate::bench::server::Server;

/// How long there is load before it is drawn: as much as one picture shows.
const DRAWN: Duration = Duration::from_mins(3);

/// The dashboards that are drawn, by their uid.
const DASHBOARDS: [&str; 2] = ["callboard-overview", "callboard-cache"];

/// How high a plot is on Prometheus' page, and what stands around them, in pixels.
const PLOT_PIXELS: usize = 716;
const AROUND_PIXELS: usize = 160;

/// Draws the status page, once there is enough to be seen.
pub(super) fn status(folder: &Path, node: &Server) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    eprintln!("there will be load for {DRAWN:?} before it is drawn");
    std::thread::sleep(DRAWN);
    let admin = node.admin.as_deref().context("the node named no admin port")?;
    // Its events never end, so that only real time passes.
    picture(&folder.join("status.png"), &format!("http://{admin}/"), 1850, "--timeout=8000")
}

/// Draws the dashboards.
pub(super) fn dashboards(folder: &Path, prometheus: &str) -> anyhow::Result<()> {
    for uid in DASHBOARDS {
        let board = BOARDS.iter().find(|board| board.uid == uid);
        let board = board.with_context(|| format!("there is no dashboard {uid}"))?;
        let (path, plots) = plots(board);
        let high = AROUND_PIXELS + plots * PLOT_PIXELS;
        let (file, url) = (folder.join(uid).with_extension("png"), format!("http://{prometheus}{path}"));
        // It stands still as long as something is asked for: until each plot has its data.
        picture(&file, &url, high, "--virtual-time-budget=30000")?;
    }
    Ok(())
}

/// Where Prometheus plots what a dashboard asks for, and how many plots that are.
fn plots(board: &Board) -> (String, usize) {
    let queries: Vec<_> = board.panels.iter().flat_map(|panel| panel.queries).collect();
    let plots = queries.iter().enumerate().map(|(number, query)| {
        let query = escaped(&query.0.replace("$action", ".*"));
        let minutes = DRAWN.as_secs() / 60;
        format!("g{number}.expr={query}&g{number}.tab=0&g{number}.range_input={minutes}m")
    });
    (format!("/classic/graph?{}", plots.collect::<Vec<_>>().join("&")), queries.len())
}

/// `wait` tells Chromium what it waits for.
fn picture(file: &Path, url: &str, high: usize, wait: &str) -> anyhow::Result<()> {
    let profile = tempfile::tempdir()?;
    let status = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--window-size=1280,{high}"))
        .arg(format!("--screenshot={}", file.display()))
        .arg(wait)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("chromium is not installed (Debian: apt-get install chromium)")?;
    if !status.success() || !file.exists() {
        bail!("chromium drew nothing of {url}: {status}");
    }
    println!("wrote {}", file.display());
    Ok(())
}
