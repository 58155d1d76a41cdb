use callboard::{Html, PageContext, PageError, page};

#[page("/", ttl = "10m", uncached)]
async fn home(_cx: &PageContext, #[bound] id: u64) -> Result<Html, PageError> {
    Ok(Html::raw(id.to_string()))
}

fn main() {}
