use callboard::{ActionContext, action};

#[action(public)]
fn sign(_cx: &ActionContext, name: String) -> String {
    name
}

fn main() {}
