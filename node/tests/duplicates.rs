//! Two actions of one name: a binary of its own, as what is linked into one cannot be left out again.

use callboard::{ActionContext, App, action};

// The line of the function, not of the attribute: it is there that one looks for it.
const FIRST: u32 = line!() + 2;
#[action(public, name = "twice")]
async fn first(_cx: &ActionContext) {}

const SECOND: u32 = line!() + 2;
#[action(public, name = "twice")]
async fn second(_cx: &ActionContext) {}

fn start_error() -> String {
    let state = tempfile::tempdir().expect("a folder");
    let folder = state.path().to_str().expect("text").to_owned();
    let started = App::new("it").start(&[("state_dir", &folder), ("log", "off")]);
    started.err().expect("an error").to_string()
}

#[test]
fn two_actions_of_one_name_keep_the_node_from_starting_and_both_are_named() {
    let file = file!();

    let error = start_error();

    assert!(error.starts_with("two actions are named \"twice\": "), "{error}");
    for line in [FIRST, SECOND] {
        assert!(error.contains(&format!("{file}:{line}")), "{error}");
    }
}
