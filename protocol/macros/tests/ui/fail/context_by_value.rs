use callboard::{ActionContext, action};

#[action(public)]
async fn sign(_cx: ActionContext, name: String) -> String {
    name
}

#[action(public)]
async fn change(_cx: &mut ActionContext, name: String) -> String {
    name
}

fn main() {}
