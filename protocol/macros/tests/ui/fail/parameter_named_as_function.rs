use callboard::{ActionContext, action};

#[action(public)]
async fn name(_cx: &ActionContext, name: String) -> usize {
    name.len()
}

fn main() {}
