// One compilation tells all mistakes, and the body is checked although the attribute is wrong.
use callboard::{ActionContext, PageContext, PageError, Html, action, page};

#[action(timeout = "soon", serial, key = account)]
fn transfer(cx: &ActionContext, account: &str, #[bound] draft: u64) -> u64 {
    let cents: u64 = "ten";
    cents
}

// No error of its own: the action and its `bind` are there.
#[page("/")]
async fn home(cx: &PageContext) -> Result<Html, PageError> {
    cx.form(transfer.bind(&7))
}

fn main() {}
