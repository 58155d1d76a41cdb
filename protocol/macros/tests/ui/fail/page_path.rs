use callboard::{Html, PageContext, PageError, page};

#[page]
async fn nowhere(_cx: &PageContext) -> Result<Html, PageError> {
    Err(PageError::NotFound)
}

#[page("about")]
async fn without_slash(_cx: &PageContext) -> Result<Html, PageError> {
    Err(PageError::NotFound)
}

#[page("/posts/{id")]
async fn open(_cx: &PageContext) -> Result<Html, PageError> {
    Err(PageError::NotFound)
}

#[page("/posts/{id}/{id}")]
async fn twice(_cx: &PageContext) -> Result<Html, PageError> {
    Err(PageError::NotFound)
}

#[page("/{*rest}/edit")]
async fn rest(_cx: &PageContext) -> Result<Html, PageError> {
    Err(PageError::NotFound)
}

#[page("/?page={page}")]
async fn query(_cx: &PageContext) -> Result<Html, PageError> {
    Err(PageError::NotFound)
}

fn main() {}
