use callboard::{ActionContext, action};

#[action(public)]
async fn sign(_cx: &ActionContext, name: String, #[cfg(unix)] mode: u32) -> usize {
    name.len() + mode as usize
}

fn main() {}
