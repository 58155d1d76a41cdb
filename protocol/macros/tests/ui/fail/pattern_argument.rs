use callboard::{ActionContext, action};

#[action(public)]
async fn add(_cx: &ActionContext, (one, other): (u64, u64), _: bool) -> u64 {
    one + other
}

fn main() {}
