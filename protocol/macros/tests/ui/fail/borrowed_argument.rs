use callboard::{ActionContext, action};

#[action(public)]
async fn sign(_cx: &ActionContext, name: &str, tags: &[String], nickname: Option<&str>) -> usize {
    name.len() + tags.len() + nickname.map_or(0, str::len)
}

fn main() {}
