use callboard::{ActionContext, action};

#[action(public, body_bytes_max = "10 MB")]
async fn upload(_cx: &ActionContext) {}

#[action(public, body_bytes_max = 0)]
async fn nothing(_cx: &ActionContext) {}

#[action(public, body_bytes_max = -1)]
async fn negative(_cx: &ActionContext) {}

fn main() {}
