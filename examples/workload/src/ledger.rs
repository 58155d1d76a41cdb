//! Actions that write down when they start and when they end, so that somebody else can tell afterwards which calls ran,
//! where, how often and in which order.
//!
//! All nodes of a cluster append to one file, the one that the environment variable `LEDGER` names.

use std::{fs::OpenOptions, io::Write as _, time::Duration};

use callboard::{ActionContext, Failure, action};
use serde::Serialize;

/// What the client learns about the run of its call.
#[derive(Serialize)]
struct Entry {
    account: String,
    number: u64,
    pid: u32,
    token: Option<u64>,
}

/// Takes its time, and writes down its start and its end.
#[action(public, name = "ledger")]
async fn ledger(cx: &ActionContext, account: String, number: u64, ms: u64) -> Result<Entry, Failure> {
    run(cx, "ledger", account, number, ms).await
}

/// The same, one at a time for each account.
#[action(public, name = "ledger_keyed", key = account)]
async fn ledger_keyed(cx: &ActionContext, account: String, number: u64, ms: u64) -> Result<Entry, Failure> {
    run(cx, "ledger_keyed", account, number, ms).await
}

/// The same, and says of itself that running twice does no harm.
#[action(public, name = "ledger_idempotent", idempotent)]
async fn ledger_idempotent(
    cx: &ActionContext,
    account: String,
    number: u64,
    ms: u64,
) -> Result<Entry, Failure> {
    run(cx, "ledger_idempotent", account, number, ms).await
}

async fn run(
    cx: &ActionContext,
    action: &str,
    account: String,
    number: u64,
    ms: u64,
) -> Result<Entry, Failure> {
    if account.is_empty() || account.contains(char::is_whitespace) {
        return Err(Failure::public("bad-account", "an account is a word: it stands in a line of words"));
    }
    let entry = Entry { account, number, pid: std::process::id(), token: cx.fencing_token() };
    let token = entry.token.map_or_else(|| "-".to_owned(), |token| token.to_string());
    let words = format!("{} {} {token} {action} {} {number}", cx.call_id(), entry.pid, entry.account);
    append(&format!("start {words}\n"))?;
    tokio::time::sleep(Duration::from_millis(ms)).await;
    append(&format!("end {words}\n"))?;
    Ok(entry)
}

/// Adds a line by one write, so that lines of several processes do not mix.
fn append(line: &str) -> Result<(), Failure> {
    let Some(file) = std::env::var_os("LEDGER").filter(|file| !file.is_empty()) else {
        return Err(Failure::public(
            "no-ledger",
            "set the environment variable LEDGER to the file in which runs are written down",
        ));
    };
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    if file.write(line.as_bytes())? < line.len() {
        return Err(std::io::Error::other("the ledger took a part of a line").into());
    }
    Ok(())
}
