//! Two pages at one path: a binary of its own, as what is linked into one cannot be left out again.

use callboard::{App, Html, PageContext, PageError, page};

// The line of the function, not of the attribute: it is there that one looks for it.
const FIRST: u32 = line!() + 2;
#[page("/twice/{id}")]
async fn first(_cx: &PageContext, id: u32) -> Result<Html, PageError> {
    Ok(Html::raw(id.to_string()))
}

const SECOND: u32 = line!() + 2;
#[page("/twice/{id}")]
async fn second(_cx: &PageContext, id: u32) -> Result<Html, PageError> {
    Ok(Html::raw(id.to_string()))
}

fn start_error() -> String {
    let state = tempfile::tempdir().expect("a folder");
    let folder = state.path().to_str().expect("text").to_owned();
    let started = App::new("it").start(&[("state_dir", &folder), ("log", "off")]);
    started.err().expect("an error").to_string()
}

#[test]
fn two_pages_at_one_path_keep_the_node_from_starting_and_both_are_named() {
    let file = file!();

    let error = start_error();

    assert!(error.starts_with("two pages are at \"/twice/{id}\""), "{error}");
    for line in [FIRST, SECOND] {
        assert!(error.contains(&format!("{file}:{line}")), "{error}");
    }
}
