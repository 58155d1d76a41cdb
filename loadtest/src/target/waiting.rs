//! A server that is still starting is waited for.

use std::time::Duration;

use anyhow::bail;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::Place;

/// How long until it is tried again.
const AGAIN: Duration = Duration::from_millis(100);

/// How often whoever waits is told so.
const PROGRESS: Duration = Duration::from_secs(2);

/// Waits until a server takes connections; `progress` is told how it looks meanwhile.
///
/// # Errors
///
/// If it takes none within this time.
pub(crate) async fn wait(
    place: &Place,
    time: Duration,
    mut progress: impl FnMut(&str),
) -> anyhow::Result<()> {
    let addresses = place.addresses()?;
    let began = Instant::now();
    let mut told = began;
    loop {
        let tried = timeout(time.max(AGAIN), TcpStream::connect(&addresses[..])).await;
        let why = match tried {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        if began.elapsed() + AGAIN > time {
            let url = &place.url;
            bail!("{url} takes no connections: {why}; waited for {time:?}, and --wait waits longer");
        }
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            progress(&format!("waiting for {}: {why}", place.url));
        }
        sleep(AGAIN).await;
    }
}
