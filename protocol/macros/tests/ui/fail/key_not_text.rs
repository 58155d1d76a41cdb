use callboard::{ActionContext, action};

#[derive(serde::Deserialize)]
struct Order {
    account: Vec<u8>,
}

#[action(public, key = order.account)]
async fn transfer(_cx: &ActionContext, dry_run: bool, order: Order) -> bool {
    dry_run && order.account.is_empty()
}

fn main() {}
