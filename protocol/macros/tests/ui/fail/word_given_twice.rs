use callboard::{ActionContext, action};

#[action(public, timeout = "2s", timeout = "3s")]
async fn sign(_cx: &ActionContext) {}

fn main() {}
