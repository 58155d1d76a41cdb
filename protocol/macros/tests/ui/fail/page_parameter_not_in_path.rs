use callboard::{Html, PageContext, PageError, page};

#[page("/posts/{post}")]
async fn post(_cx: &PageContext, id: u64) -> Result<Html, PageError> {
    Ok(Html::raw(id.to_string()))
}

fn main() {}
