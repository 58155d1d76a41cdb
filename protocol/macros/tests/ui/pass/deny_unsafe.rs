//! An application that denies unsafe code and every warning uses both attributes.
#![deny(unsafe_code, unsafe_op_in_unsafe_fn, warnings)]

use callboard::{ActionContext, Html, PageContext, PageError, action, page};

#[action(public)]
async fn publish(_cx: &ActionContext, #[bound] draft: u64, title: String) -> String {
    format!("{draft}: {title}")
}

#[page("/drafts/{draft}")]
async fn draft_page(cx: &PageContext, draft: u64) -> Result<Html, PageError> {
    cx.form(publish.bind(&draft))
}

fn main() {}
