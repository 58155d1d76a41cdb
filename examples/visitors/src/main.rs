//! The application of the README.

use std::{process::ExitCode, sync::Mutex};

use callboard::{ActionContext, App, Form, Html, PageContext, PageError, action, page};
use serde::Deserialize;

#[derive(Default)]
struct Names(Mutex<Vec<String>>);

#[derive(Deserialize)]
struct Visitor {
    name: String,
}

/// Called by the form below, and by React's client with a `FormData` or `{ name }`.
#[action(public, revalidates = ["names"])]
async fn sign(cx: &ActionContext, visitor: Form<Visitor>) -> usize {
    let mut names = cx.state::<Names>().0.lock().expect("nothing panics while it holds the names");
    names.push(visitor.name.clone());
    cx.redirect("/");
    names.len()
}

/// Rendered once, then served from memory until somebody signs.
#[page("/", tags = ["names"])]
async fn home(cx: &PageContext) -> Result<Html, PageError> {
    let names = cx.state::<Names>().0.lock().expect("nothing panics while it holds the names");
    let list: Html = names.iter().map(|name| Html::raw(format!("<li>{}", Html::escape(name)))).collect();
    let fields = cx.form(sign)?;
    Ok(Html::raw(format!(
        "<!doctype html><title>Visitors</title><ul>{list}</ul>\
         <form method=post enctype=multipart/form-data>{fields}\
         <input name=name required> <button>Sign</button></form>"
    )))
}

fn main() -> ExitCode {
    App::new("visitors").state(Names::default()).run()
}
