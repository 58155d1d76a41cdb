use callboard::{ActionContext, Html, PageContext, PageError, action, page};

#[action(public)]
async fn sign(_cx: &PageContext, name: String) -> String {
    name
}

#[page("/")]
async fn home(_cx: &ActionContext) -> Result<Html, PageError> {
    Err(PageError::NotFound)
}

fn main() {}
