use callboard::{ActionContext, action};

#[action(public)]
async fn path(cx: &ActionContext) -> Option<&str> {
    Some(cx.path())
}

fn main() {}
