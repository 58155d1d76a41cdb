use callboard::{ActionContext, Html, PageContext, PageError, action, page};

#[action(public, timeout = "2 parsecs")]
async fn far(_cx: &ActionContext) {}

#[action(public, timeout = "20")]
async fn without_unit(_cx: &ActionContext) {}

#[action(public, timeout = 2)]
async fn number(_cx: &ActionContext) {}

#[action(public, timeout = "0s")]
async fn never(_cx: &ActionContext) {}

#[page("/", ttl = "1000y")]
async fn home(_cx: &PageContext) -> Result<Html, PageError> {
    Err(PageError::NotFound)
}

fn main() {}
