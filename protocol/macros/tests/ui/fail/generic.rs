use callboard::{ActionContext, action};

#[action(public)]
async fn echo<T: serde::Serialize>(_cx: &ActionContext, value: T) -> T {
    value
}

#[action(public)]
async fn count(_cx: &ActionContext, names: Vec<impl AsRef<str>>) -> usize {
    names.len()
}

fn main() {}
