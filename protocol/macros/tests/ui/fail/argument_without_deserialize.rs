use callboard::{ActionContext, Rest, action};

struct Entry {
    name: String,
}

#[action(public)]
async fn sign(_cx: &ActionContext, stars: u8, entry: Vec<Entry>) -> usize {
    entry.len() + entry[0].name.len() + stars as usize
}

#[action(public)]
async fn sign_all(_cx: &ActionContext, entries: Rest<Entry>) {
    drop(entries);
}

fn main() {}
