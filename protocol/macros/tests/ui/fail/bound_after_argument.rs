use callboard::{ActionContext, action};

#[action(public)]
async fn sign(_cx: &ActionContext, name: String, #[bound] draft: u64) -> u64 {
    draft + name.len() as u64
}

fn main() {}
