//! Every word of `#[page]` and every kind of parameter.
#![deny(warnings, unsafe_code, missing_docs, unreachable_pub)]

use callboard::{Html, PageContext, PageError, action, page};

#[action(public)]
async fn sign(_cx: &callboard::ActionContext) {}

/// The simplest page, with a form.
#[page("/")]
async fn home(cx: &PageContext) -> Result<Html, PageError> {
    cx.form(sign)
}

/// Parsed parameters, in another order than in the path; a variable with the page's name.
#[page("/posts/{year}/{slug}.html", tags = ["posts"], ttl = "10m")]
async fn post(_: &PageContext, slug: String, year: u16) -> Result<Html, std::fmt::Error> {
    let post = format!("{slug} {year}");
    Ok(Html::raw(post))
}

/// A parameter that the function does not ask for, and the rest of the path.
#[page("/{user}/files/{*rest}", uncached)]
async fn files(_cx: &PageContext, rest: String) -> Result<Html, PageError> {
    Ok(Html::raw(rest))
}

fn main() {
    let location = module_path!();
    let mut pages: Vec<_> =
        callboard::__private::PAGES.iter().filter(|page| page.location.starts_with(location)).collect();
    pages.sort_by_key(|page| page.pattern);
    let facts: Vec<_> = pages.iter().map(|page| (page.pattern, page.tags, page.ttl, page.cached)).collect();
    let ten_minutes = std::time::Duration::from_secs(600);
    assert_eq!(
        facts,
        [
            ("/", &[][..], None, true),
            ("/posts/{year}/{slug}.html", &["posts"][..], Some(ten_minutes), true),
            ("/{user}/files/{*rest}", &[][..], None, false),
        ]
    );
    assert_eq!(pages[1].location, format!("{location}::post"));
    let line = include_str!("pages.rs").lines().position(|line| line.starts_with("async fn post")).unwrap() + 1;
    assert_eq!(pages[1].line as usize, line);
}
