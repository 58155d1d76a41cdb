//! Each lie is told, and nothing else is untrue.

use std::{fs, path::Path};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{Liar, Lie, TRUTHS, model::reference};

/// Calls of a test: three lies.
const CALLS: usize = 3 * TRUTHS;

async fn ask(liar: &Liar, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(&liar.address).await.unwrap();
    let length = body.len();
    let request = format!("{head}\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn call(liar: &Liar, action: &str, more: &str, arguments: &str) -> String {
    let reference = reference(action);
    let head = format!("POST / HTTP/1.1\r\nnext-action: {reference}\r\ncontent-type: text/plain{more}");
    ask(liar, &head, arguments).await
}

/// The numbers of the calls that started, in order, after so many calls of one account; and how many were said to be done.
async fn calls(lie: Lie, action: &str) -> (Vec<usize>, usize) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    let liar = Liar::start(lie, ledger.clone()).await.unwrap();
    let mut done = 0;
    for number in 0..CALLS {
        let answer = call(&liar, action, "", &format!("[\"a\",{number},0]")).await;
        assert_ne!(answer.contains("not-run"), answer.contains("callboard-outcome: done"), "{answer}");
        done += usize::from(answer.contains(&format!("\"number\":{number},")));
    }
    (starts(&ledger), done)
}

fn starts(ledger: &Path) -> Vec<usize> {
    let text = fs::read_to_string(ledger).unwrap();
    let starts = text.lines().filter(|line| line.starts_with("start "));
    starts.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn without_a_lie_each_call_runs_once_and_in_order() {
    for action in ["ledger", "ledger_keyed", "ledger_idempotent"] {
        assert_eq!(calls(Lie::Nothing, action).await, ((0..CALLS).collect(), CALLS));
    }
}

#[tokio::test]
async fn some_calls_start_twice_or_never_or_late_or_are_denied() {
    assert_eq!(calls(Lie::DuplicateStart, "ledger").await.0.len(), CALLS + 3);
    let (lost, done) = calls(Lie::LostCall, "ledger").await;
    assert_eq!((lost.len(), done), (CALLS - 3, CALLS));
    let (denied, done) = calls(Lie::FalseNotRun, "ledger").await;
    assert_eq!((denied.len(), done), (CALLS, CALLS - 3));
    let (reordered, done) = calls(Lie::ReorderedKey, "ledger_keyed").await;
    assert_eq!(done, CALLS);
    assert_eq!(reordered[TRUTHS - 1..=TRUTHS], [TRUTHS, TRUTHS - 1]);
}

#[tokio::test]
async fn some_pages_are_as_they_were_first() {
    for (lie, expected) in [(Lie::Nothing, 0), (Lie::StalePage, 3)] {
        let folder = tempfile::tempdir().unwrap();
        let liar = Liar::start(lie, folder.path().join("ledger")).await.unwrap();
        let mut stale = 0;
        for count in 0..=CALLS {
            let page = ask(&liar, "GET /tagged/3 HTTP/1.1", "").await;
            stale += usize::from(
                !page.contains(&format!("\"tagged-4\":{count}}}"))
                    && !page.contains(&format!("\"tagged-4\":{count},")),
            );
            call(&liar, "bump", "", "[\"tagged-4\"]").await;
        }
        assert_eq!(stale, expected, "{lie:?}");
    }
}

#[tokio::test]
async fn it_says_what_actions_there_are_and_refuses_what_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let liar = Liar::start(Lie::Nothing, folder.path().join("ledger")).await.unwrap();
    let actions = ask(&liar, "GET /actions HTTP/1.1", "").await;
    assert!(
        actions.contains(&format!(
            "{{\"id\":\"{0}\",\"name\":\"bump\",\"reference\":\"{0}\"}}",
            reference("bump")
        )),
        "{actions}"
    );
    assert!(call(&liar, "echo", "", "[{\"x\":1}]").await.ends_with("1:{\"x\":1}\n"));
    assert!(call(&liar, "echo", "", "[").await.contains("malformed-reply"));
    assert!(call(&liar, "bump", "", "[1]").await.contains("argument-mismatch"));
    assert!(ask(&liar, "POST / HTTP/1.1", "").await.contains("not-an-action"));
    let first = call(&liar, "bump", "\r\nidempotency-key: k", "[\"t\"]").await;
    let second = call(&liar, "bump", "\r\nidempotency-key: k", "[\"t\"]").await;
    assert!(first.ends_with("1:1\n") && second.ends_with("1:1\n"));
    assert!(second.contains("callboard-replayed: 1"));
}
