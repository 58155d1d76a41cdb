use callboard::{ActionContext, action};

#[action]
async fn sign(_cx: &ActionContext, name: String) -> String {
    name
}

fn main() {}
