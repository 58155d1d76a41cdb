use callboard::{ActionContext, action};

#[action(public, serial, key = account)]
async fn transfer(_cx: &ActionContext, account: String) -> usize {
    account.len()
}

fn main() {}
