use callboard::{ActionContext, action};

#[action(public, name = "")]
async fn sign(_cx: &ActionContext) {}

fn main() {}
