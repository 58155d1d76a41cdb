use callboard::{Html, PageContext, page};

#[page("/nothing")]
async fn nothing(_cx: &PageContext) {}

#[page("/plain")]
async fn plain(_cx: &PageContext) -> Html {
    Html::raw("")
}

#[page("/text")]
async fn text(_cx: &PageContext) -> Result<String, std::fmt::Error> {
    Ok(String::new())
}

#[page("/error")]
async fn error(_cx: &PageContext) -> Result<Html, u64> {
    Err(1)
}

fn main() {}
