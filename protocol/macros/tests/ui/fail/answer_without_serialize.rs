use callboard::{ActionContext, Failure, action};

struct Entry;

#[action(public)]
async fn plain(_cx: &ActionContext) -> Entry {
    Entry
}

#[action(public)]
async fn fallible(_cx: &ActionContext) -> Result<Entry, Failure> {
    Ok(Entry)
}

fn main() {}
