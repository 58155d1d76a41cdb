use callboard::{ActionContext, Html, PageContext, PageError, action, page};

#[action(publik)]
async fn one(_cx: &ActionContext) {}

#[action(public, revalidate = ["guestbook"])]
async fn two(_cx: &ActionContext) {}

#[action(public, early)]
async fn three(_cx: &ActionContext) {}

#[page("/", tag = ["guestbook"])]
async fn four(_cx: &PageContext) -> Result<Html, PageError> {
    Err(PageError::NotFound)
}

fn main() {}
