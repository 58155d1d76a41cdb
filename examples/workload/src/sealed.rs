//! What pages bind to an action and get back sealed, and what becomes of seals that are not for the one who calls.

use std::time::Duration;

use callboard::{
    ActionContext, GuardContext, Html, PageContext, PageError, Principal, Refusal, action, page,
};

/// What the pages here bind.
const BASE: f64 = 40.0;

/// Adds to what the page bound.
#[action(public, name = "add_sealed")]
pub(crate) async fn add_sealed(_cx: &ActionContext, #[bound] base: f64, n: f64) -> f64 {
    base + n
}

/// The same with another operation, so that a seal can be sent to the wrong one.
#[action(public, name = "multiply_sealed")]
async fn multiply_sealed(_cx: &ActionContext, #[bound] base: f64, n: f64) -> f64 {
    base * n
}

/// Whoever the cookie `name` names, without any proof: this is a workload, and no example of a guard.
async fn named(cx: &GuardContext) -> Result<Principal, Refusal> {
    cx.cookie("name").map(Principal::new).ok_or_else(Refusal::unauthorized)
}

/// Adds to what the page bound for one person alone.
#[action(guard = named, name = "add_own")]
async fn add_own(_cx: &ActionContext, #[bound] base: f64, n: f64) -> f64 {
    base + n
}

/// A form whose values anybody may send back.
#[page("/sealed")]
async fn sealed(cx: &PageContext) -> Result<Html, PageError> {
    Ok(form(&cx.form(add_sealed.bind(&BASE))?))
}

/// A form whose values are too old as soon as they are read.
#[page("/sealed/expired", uncached)]
async fn expired(cx: &PageContext) -> Result<Html, PageError> {
    Ok(form(&cx.form(add_sealed.bind(&BASE).expires_in(Duration::ZERO))?))
}

/// A form whose values are for whoever the cookie `name` names.
#[page("/sealed/own")]
async fn own(cx: &PageContext) -> Result<Html, PageError> {
    let name = cx.cookie("name").ok_or(PageError::NotFound)?;
    Ok(form(&cx.form(add_own.bind(&BASE).for_principal(&Principal::new(name)))?))
}

fn form(fields: &Html) -> Html {
    Html::raw(format!(
        "<!doctype html><title>sealed</title><form method=\"post\" enctype=\"multipart/form-data\">{fields}<input \
         name=\"n\"><button>Add</button></form>"
    ))
}
