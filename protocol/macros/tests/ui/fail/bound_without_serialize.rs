use callboard::{ActionContext, action};

#[derive(serde::Deserialize)]
struct Draft(u64);

#[action(public)]
async fn publish(_cx: &ActionContext, #[bound] draft: Draft) -> u64 {
    draft.0
}

fn main() {}
