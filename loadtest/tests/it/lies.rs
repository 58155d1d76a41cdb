//! Each lie is found, by the oracle whose promise it breaks, with a history that shows it.

use std::path::Path;

use crate::{
    command::{Told, loadtest},
    liar::{Liar, Lie},
};

/// Everything that can be lied about, so often that there are lies.
const SCENARIO: &str = r#"
about = "Everything that a server can lie about."

[load]
rate = 300
warm_up = "0s"
duration = "2s"
connections = 8

[[operation]]
name = "ledger"
action = "ledger"
arguments = ["account-{pick}", { "$number" = true }, 0]
picks = 4
oracle = "ledger"
weight = 3

[[operation]]
name = "keyed"
action = "ledger_keyed"
arguments = ["account-{pick}", { "$number" = true }, 0]
picks = 2
oracle = "ledger-keyed"
weight = 3

[[operation]]
name = "bump"
action = "bump"
arguments = ["tagged-{pick}"]
picks = 12
oracle = "bump"
weight = 2

[[operation]]
name = "page"
page = "/tagged/{pick}"
picks = 12
shows_counters = true
weight = 4
"#;

async fn load(lie: Lie, folder: &Path) -> Told {
    let (scenario, ledger) = (folder.join("lies.toml"), folder.join("ledger"));
    std::fs::write(&scenario, SCENARIO).unwrap();
    let liar = Liar::start(lie, ledger.clone()).await.unwrap();
    let url = format!("http://{}", liar.address);
    let words = ["run", scenario.to_str().unwrap(), "--target", &url, "--admin", &url, "--ledger"];
    loadtest(words.into_iter().chain([ledger.to_str().unwrap(), "--json", "--quiet", "--seed", "7"])).await
}

async fn finds(lie: Lie, expected: &[&str]) {
    finds_beside(lie, expected, &[]).await;
}

/// The same, if chance decides whether the lie breaks some other promises as well.
async fn finds_beside(lie: Lie, expected: &[&str], others: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let told = load(lie, folder.path()).await;
    let broken = told.broken();
    let names = broken.iter().map(|(name, _)| name.as_str());
    let names: Vec<_> = names.filter(|name| !others.contains(name)).collect();
    assert_eq!(names, expected, "{lie:?}: {}", told.error);
    assert_eq!(told.code, Some(i32::from(!expected.is_empty())), "{lie:?}: {}", told.error);
    let results = told.results();
    for oracle in results["oracles"].as_array().unwrap().iter().filter(|oracle| oracle["violations"] != 0) {
        let history = oracle["examples"][0]["history"].as_array().unwrap();
        assert!(
            !history.is_empty() && history.len() <= 12,
            "{lie:?}: the smallest that shows it: {history:?}"
        );
    }
}

#[tokio::test]
async fn who_tells_the_truth_passes() {
    let folder = tempfile::tempdir().unwrap();
    let told = load(Lie::Nothing, folder.path()).await;
    assert_eq!((told.broken(), told.code), (Vec::new(), Some(0)), "{}", told.error);
    let results = told.results();
    let checked = |name: &str| {
        let oracles = results["oracles"].as_array().unwrap();
        oracles.iter().find(|oracle| oracle["name"] == name).unwrap()["checked"].as_u64().unwrap()
    };
    for name in ["at-most-once", "truth", "order", "staleness", "well-formed"] {
        assert!(checked(name) > 50, "{name}: {}", checked(name));
    }
}

#[tokio::test]
async fn a_call_that_runs_twice_is_found() {
    finds(Lie::DuplicateStart, &["at-most-once"]).await;
}

#[tokio::test]
async fn a_call_that_was_lost_is_found() {
    finds(Lie::LostCall, &["truth"]).await;
}

#[tokio::test]
async fn a_call_that_ran_and_was_denied_is_found() {
    finds(Lie::FalseNotRun, &["truth"]).await;
}

#[tokio::test]
async fn a_stale_page_is_found() {
    finds(Lie::StalePage, &["staleness"]).await;
}

#[tokio::test]
async fn a_call_out_of_turn_is_found() {
    // What is held back runs later than it was said to be done, or never: whether somebody looks meanwhile is chance.
    finds_beside(Lie::ReorderedKey, &["order"], &["truth"]).await;
}
