use callboard::{Html, PageContext, PageError, page};

struct PostId(u64);

#[page("/posts/{id}")]
async fn post(_cx: &PageContext, id: PostId) -> Result<Html, PageError> {
    Ok(Html::raw(id.0.to_string()))
}

fn main() {}
