//! Every word of `#[action]` and every kind of parameter.
#![deny(warnings, unsafe_code, missing_docs, unreachable_pub, non_local_definitions)]

use callboard::{Action, ActionContext, ActionError, GuardContext, Principal, Refusal, Rest, action};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
struct Order {
    account: String,
    cents: u64,
}

#[derive(Debug, Serialize)]
struct Overdrawn {
    by_cents: u64,
}

impl std::fmt::Display for Overdrawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "overdrawn by {}", self.by_cents)
    }
}

impl ActionError for Overdrawn {}

async fn signed_in(cx: &GuardContext) -> Result<Principal, Refusal> {
    let _ = cx;
    Err(Refusal::unauthorized())
}

/// No parameter, no result.
#[action(public)]
async fn ping(_: &ActionContext) {}

/// A value, and a parameter that is changed inside.
#[action(public, idempotent, revalidates = ["numbers", "sums"])]
async fn add(_cx: &ActionContext, mut one: u64, other: u64) -> u64 {
    one += other;
    one
}

/// An error that is thrown, and a key inside an argument.
#[action(guard = signed_in, key = order.account.to_lowercase(), timeout = "1m 30s")]
async fn transfer(cx: &ActionContext, dry_run: bool, order: Order) -> Result<u64, Overdrawn> {
    let _ = cx;
    if dry_run { Ok(order.cents) } else { Err(Overdrawn { by_cents: order.cents }) }
}

/// An error that is a value.
#[action(guard = crate::signed_in, serial, errors = "value", name = "bank.withdraw", body_bytes_max = 2 * 1024,)]
async fn withdraw(_cx: &ActionContext, cents: u64) -> Result<(), Overdrawn> {
    Err(Overdrawn { by_cents: cents })
}

/// All that the client sends.
#[action(public)]
async fn total(_cx: &ActionContext, label: String, numbers: Rest<u64>) -> String {
    format!("{label}: {}", numbers.0.iter().sum::<u64>())
}

/// Values captured by a page; the key is one of them.
#[action(public, key = draft)]
async fn publish(_cx: &ActionContext, #[bound] author: String, #[bound] draft: u64, title: Option<String>) -> String {
    format!("{author} {draft} {title:?}")
}

/// More arguments than have a bit each; names that the attribute itself uses, or that Rust keeps.
#[action(public)]
#[expect(clippy::too_many_arguments)]
async fn many(
    _cx: &ActionContext,
    cursor: u8,
    arguments: u8,
    output: u8,
    value: u8,
    error: u8,
    cx: u8,
    r#type: u8,
) -> [u8; 7] {
    [cursor, arguments, output, value, error, cx, r#type]
}

/// A name that Rust keeps.
#[action(public)]
async fn r#move(_cx: &ActionContext) {}

#[action(public)]
#[cfg(any())]
async fn not_compiled(_cx: &ActionContext, argument: NoSuchType) {}

mod inner {
    use super::*;

    /// Seen from outside its module.
    #[action(public)]
    pub(super) async fn nested(_cx: &ActionContext) -> &'static str {
        "nested"
    }
}

fn arguments(action: impl Action) -> Vec<(&'static str, &'static str, bool)> {
    let arguments = action.entry().arguments.iter();
    arguments.map(|argument| (argument.name, argument.type_name, argument.bound)).collect()
}

fn main() {
    #[action(public)]
    async fn local(_cx: &ActionContext) {}

    let location = module_path!();
    assert_eq!(ping.entry().name, format!("{location}::ping"));
    assert_eq!(inner::nested.entry().name, format!("{location}::inner::nested"));
    assert_eq!(r#move.entry().name, format!("{location}::move"));
    assert_eq!(withdraw.entry().name, "bank.withdraw");
    assert_eq!(withdraw.entry().location, format!("{location}::withdraw"));

    // The line of the function's name, where a reader looks for it.
    let line = include_str!("actions.rs").lines().position(|line| line.starts_with("async fn ping")).unwrap() + 1;
    assert_eq!(ping.entry().line as usize, line);
    assert!(ping.entry().file.ends_with("actions.rs"));
    assert_eq!(ping.entry().krate, env!("CARGO_PKG_NAME"));

    assert_eq!(arguments(add), [("one", "u64", false), ("other", "u64", false)]);
    assert_eq!(
        arguments(publish),
        [("author", "String", true), ("draft", "u64", true), ("title", "Option<String>", false)]
    );
    assert_eq!(arguments(many)[6].0, "type");

    assert_eq!(ping.entry().info, 0x00);
    assert_eq!(add.entry().info, 0x60);
    assert_eq!(publish.entry().info, 0x60, "both bound values are one argument, the title is the other");
    assert_eq!(total.entry().info, 0x7f);
    assert_eq!(many.entry().info, 0x7f);

    assert_eq!(ping.entry().class.as_str(), "plain");
    assert_eq!(transfer.entry().class.as_str(), "keyed");
    assert_eq!(withdraw.entry().class.as_str(), "serial");

    assert!(ping.entry().guard.is_none());
    assert_eq!(transfer.entry().guard.as_ref().unwrap().name, "signed_in");
    assert_eq!(withdraw.entry().guard.as_ref().unwrap().name, "crate::signed_in");

    assert_eq!(transfer.entry().timeout, Some(std::time::Duration::from_secs(90)));
    assert_eq!(withdraw.entry().body_bytes_max, Some(2048));
    assert_eq!((add.entry().idempotent, ping.entry().idempotent), (true, false));
    assert_eq!(add.entry().revalidates, ["numbers", "sums"]);

    let bound = publish.bind(&"ada".to_owned(), &7);
    assert!(std::ptr::eq(bound.entry(), publish.entry()));
    assert!(bound.captured().is_some() && publish.captured().is_none());

    let registered = callboard::__private::ACTIONS.iter().filter(|entry| entry.location.starts_with(location));
    assert_eq!(registered.count(), 10, "all of this file's, the local one too, but not the one that is not compiled");
}
