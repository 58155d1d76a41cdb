//! The actions and pages that tests, benchmarks and the load harness call. Each does one thing and says so.

mod arguments;
mod counters;
mod kept;
mod ledger;
mod pages;
mod sealed;
mod streams;
mod tagged;
mod uploads;

use std::{process::ExitCode, time::Duration};

use callboard::{ActionContext, App, Cookie, Failure, Rest, Value, action};
use serde::Serialize;

use counters::Counters;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Gives its arguments back, whatever they hold.
#[action(public, name = "echo")]
async fn echo(_cx: &ActionContext, arguments: Rest<Value>) -> Rest<Value> {
    arguments
}

/// Adds two numbers.
#[action(public, name = "add")]
async fn add(_cx: &ActionContext, a: f64, b: f64) -> f64 {
    a + b
}

/// Takes its time, longer than its client waits if it is told to.
#[action(public, name = "sleep_briefly", timeout = "1s")]
async fn sleep_briefly(cx: &ActionContext, ms: u64) -> u64 {
    sleep::call(cx, ms).await
}

/// Takes its time.
#[action(public, name = "sleep")]
async fn sleep(_cx: &ActionContext, ms: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    ms
}

/// Waits until nobody waits for it any more, and then counts that under `tag`.
#[action(public, name = "until_cancelled")]
async fn until_cancelled(cx: &ActionContext, tag: String) -> Result<(), Failure> {
    cx.cancelled().await;
    cx.state::<Counters>().add(&tag, 1).await?;
    Ok(())
}

/// Ends in an error with this code, whose message is public.
#[action(public, name = "fail")]
async fn fail(_cx: &ActionContext, code: String) -> Result<(), Failure> {
    Err(Failure::public(code.clone(), format!("failed with {code}")))
}

/// Ends in an error that the client may know nothing of.
#[action(public, name = "fail_privately")]
async fn fail_privately(_cx: &ActionContext, secret: String) -> Result<(), Failure> {
    Err(std::io::Error::other(secret).into())
}

/// Panics.
#[action(public, name = "panic_now", revalidates = ["panicked"])]
async fn panic_now(cx: &ActionContext) -> u64 {
    cx.revalidate_tag("panicked-dynamically");
    panic!("asked to")
}

/// Sends the client elsewhere.
#[action(public, name = "redirect_to")]
async fn redirect_to(cx: &ActionContext, url: String) {
    cx.redirect(url);
}

/// Answers "not found".
#[action(public, name = "not_found")]
async fn not_found(cx: &ActionContext) {
    cx.not_found();
}

/// Sets a plain, a signed and a sealed cookie.
#[action(public, name = "set_cookie")]
async fn set_cookie(cx: &ActionContext, name: String, value: String) -> Result<(), Failure> {
    let token = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !token {
        return Err(Failure::public("bad-name", "a cookie's name is letters, digits and _"));
    }
    cx.set_cookie(&Cookie::new(name.as_str(), &value));
    cx.set_signed_cookie(Cookie::new(format!("{name}_signed"), &value));
    cx.set_private_cookie(Cookie::new(format!("{name}_private"), &value));
    Ok(())
}

/// What a request's cookies held.
#[derive(Serialize)]
struct Cookies {
    plain: Option<String>,
    signed: Option<String>,
    private: Option<String>,
}

/// Reads what `set_cookie` set.
#[action(public, name = "read_cookie")]
async fn read_cookie(cx: &ActionContext, name: String) -> Cookies {
    Cookies {
        plain: cx.cookie(&name),
        signed: cx.signed_cookie(&format!("{name}_signed")),
        private: cx.private_cookie(&format!("{name}_private")),
    }
}

/// Counts under `tag` and makes every page with that tag stale. Gives the new count.
#[action(public, name = "bump")]
async fn bump(cx: &ActionContext, tag: String) -> Result<i64, Failure> {
    let count = cx.state::<Counters>().add(&tag, 1).await?;
    cx.revalidate_tag(tag);
    Ok(count)
}

/// Makes a path stale without changing anything.
#[action(public, name = "revalidate")]
async fn revalidate(cx: &ActionContext, path: String) {
    cx.revalidate_path(path);
}

/// The count under `tag`.
#[action(public, name = "read_counter", idempotent)]
async fn read_counter(cx: &ActionContext, tag: String) -> Result<i64, Failure> {
    Ok(cx.state::<Counters>().read(&tag).await?)
}

/// Counts under `key` by reading, waiting and writing: right only because calls of one key run one at a time.
#[action(public, name = "keyed_counter", key = key)]
async fn keyed_counter(cx: &ActionContext, key: String, wait_ms: u64) -> Result<i64, Failure> {
    slow_increment(cx, &key, wait_ms).await
}

/// The same for all calls together.
#[action(public, name = "serial_counter", serial)]
async fn serial_counter(cx: &ActionContext, wait_ms: u64) -> Result<i64, Failure> {
    slow_increment(cx, "serial", wait_ms).await
}

async fn slow_increment(cx: &ActionContext, key: &str, wait_ms: u64) -> Result<i64, Failure> {
    let counters = cx.state::<Counters>();
    let count = counters.read(key).await?;
    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    counters.set(key, count + 1).await?;
    Ok(count + 1)
}

fn main() -> ExitCode {
    App::new("workload").setup(|start| Counters::open(start.state_dir)).run()
}
