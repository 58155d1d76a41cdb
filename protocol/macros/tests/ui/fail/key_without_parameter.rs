use callboard::{ActionContext, action};

#[action(public, key = acount)]
async fn transfer(_cx: &ActionContext, account: String, cents: u64) -> u64 {
    cents + account.len() as u64
}

#[action(public, key = "account")]
async fn deposit(_cx: &ActionContext, account: String, cents: u64) -> u64 {
    cents + account.len() as u64
}

#[action(public, key = everything)]
async fn close(_cx: &ActionContext) {}

fn main() {}
