//! Answers that go on after their action returned.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use callboard::{
    ActionContext, Failure, Form, Html, PageContext, PageError, Value, action,
    js::{AsyncIterable, ByteStream, Later, Promise, Stream},
    page,
};
use futures_util::{StreamExt as _, stream};

use crate::{arriving::Wire, client::Caller, order::Journal};

/// Notes when it is dropped.
struct Noted(Journal, &'static str);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

/// A stream that gives a number whenever the test releases the journal.
fn released(journal: Journal) -> impl stream::Stream<Item = u32> + Send + 'static {
    let dropped = Noted(journal.clone(), "stream dropped");
    stream::iter(0..).then(move |number| {
        let journal = journal.clone();
        let _dropped = &dropped;
        async move {
            journal.note(format!("asked for {number}"));
            journal.released().await;
            number
        }
    })
}

#[action(public, name = "stream_released")]
async fn stream_released(cx: &ActionContext) -> Stream<u32> {
    Stream::new(released(cx.state::<Journal>().clone()))
}

#[action(public, name = "stream_keyed", key = key)]
async fn stream_keyed(cx: &ActionContext, key: String) -> Stream<u32> {
    assert!(!key.is_empty());
    Stream::new(released(cx.state::<Journal>().clone()).take(1))
}

#[action(public, name = "later_released")]
async fn later_released(cx: &ActionContext) -> Later<&'static str> {
    let journal = cx.state::<Journal>().clone();
    Later::new(async move {
        journal.released().await;
        "now"
    })
}

/// Never gives anything, and is never asked twice.
struct Endless;

impl stream::Stream for Endless {
    type Item = u32;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
        Poll::Pending
    }
}

#[action(public, name = "stream_nothing")]
async fn stream_nothing(_cx: &ActionContext) -> AsyncIterable<u32> {
    AsyncIterable::new(Endless)
}

#[action(public, name = "stream_panics")]
async fn stream_panics(_cx: &ActionContext) -> Stream<u32> {
    Stream::new(stream::iter(0..2).map(|number| if number == 0 { number } else { panic!("on purpose") }))
}

#[action(public, name = "double_items")]
async fn double_items(_cx: &ActionContext, items: Stream<f64>) -> Stream<f64> {
    Stream::try_new(items.map(|item| Ok::<_, Failure>(item? * 2.0)))
}

#[action(public, name = "stream_echo")]
async fn stream_echo(_cx: &ActionContext, value: Value) -> Value {
    value
}

#[action(public, name = "promised_length")]
async fn promised_length(_cx: &ActionContext, text: Promise<String>) -> Option<usize> {
    text.await.ok().map(|text| text.len())
}

#[action(public, name = "bytes_of")]
async fn bytes_of(_cx: &ActionContext, bytes: ByteStream) -> ByteStream {
    bytes
}

#[action(public, name = "later_state")]
async fn later_state(_cx: &ActionContext, _form: Form<()>) -> Later<String> {
    Later::new(async {
        tokio::task::yield_now().await;
        "done".to_owned()
    })
}

#[page("/later-state")]
async fn later_state_page(cx: &PageContext) -> Result<Html, PageError> {
    let state = cx.form_state::<String>(later_state).unwrap_or_default();
    Ok(Html::raw(format!("<p>{}</p>{}", Html::escape(&state), cx.form(later_state)?)))
}

/// A call whose arguments are JSON, over a socket that shows what was answered so far.
fn open(caller: &Caller, action: &str) -> Wire {
    Wire::text(caller, action, "[]")
}

#[test]
fn each_row_is_sent_as_soon_as_it_is_ready() {
    let caller = Caller::start(&[]);
    let mut wire = open(&caller, "stream_released");
    let head = wire.read_until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("transfer-encoding: chunked"), "{head}");
    wire.read_until("\"$2\"\n");
    for number in 0..3 {
        caller.journal.wait_for(&format!("asked for {number}"));
        caller.journal.release();
        wire.read_until(&format!(":{number}\n"));
    }
}

#[test]
fn a_value_that_is_ready_later_holds_up_nothing_else() {
    let caller = Caller::start(&[]);
    let mut wire = open(&caller, "later_released");
    wire.read_until("1:\"$@2\"\n");
    caller.journal.release();
    wire.read_until("2:\"now\"\n");
    // The connection is used again.
    wire.read_until("0\r\n\r\n");
    wire.send_text(&caller, "nothing", "[]");
    wire.read_until("1:\"$undefined\"\n");
}

#[test]
fn a_client_that_goes_away_stops_what_was_made_for_it() {
    let caller = Caller::start(&[]);
    let mut wire = open(&caller, "stream_released");
    caller.journal.wait_for("asked for 0");
    caller.journal.release();
    wire.read_until(":0\n");
    drop(wire);
    caller.journal.wait_for("stream dropped");
}

#[test]
fn an_answer_that_goes_on_for_too_long_ends_with_an_error() {
    let caller = Caller::start(&[("stream_timeout", "20ms")]);
    let answer = caller.call("stream_nothing", "[]");
    assert_eq!(answer.status, 200);
    assert!(answer.body.ends_with("E{\"digest\":\"deadline-exceeded\"}\n"), "{}", answer.body);
}

#[test]
fn a_stream_that_panics_ends_with_an_error_and_the_node_goes_on() {
    let caller = Caller::start(&[]);
    let answer = caller.call("stream_panics", "[]");
    assert!(answer.body.contains(":0\n") && answer.body.contains("E{\"digest\""), "{}", answer.body);
    assert!(!answer.body.contains("on purpose"));
    assert_eq!(caller.call("nothing", "[]").status, 200);
}

/// Goal: an answer that goes on counts as a running call, and does not keep its key.
#[test]
fn a_streamed_answer_keeps_its_permit_and_not_its_line() {
    let caller = Caller::start(&[("calls_max", "2")]);
    let mut first = Wire::text(&caller, "stream_keyed", r#"["a"]"#);
    first.read_until("\"$2\"\n");
    let mut second = Wire::text(&caller, "stream_keyed", r#"["a"]"#);
    second.read_until("\"$2\"\n");
    let third = caller.call("stream_keyed", r#"["a"]"#);
    assert_eq!((third.status, third.body.as_str()), (503, "calls_max is full at 2"));

    caller.journal.release();
    caller.journal.release();
    first.read_until("0\r\n\r\n");
    second.read_until("0\r\n\r\n");
    let mut fourth = Wire::text(&caller, "stream_keyed", r#"["b"]"#);
    fourth.read_until("\"$2\"\n");
}

#[test]
fn a_stopping_node_sees_a_streamed_answer_through() {
    let mut caller = Caller::start(&[]);
    let journal = caller.journal.clone();
    let mut wire = open(&caller, "later_released");
    wire.read_until("1:\"$@2\"\n");
    caller.node.begin_stop();
    journal.release();
    wire.read_until("2:\"now\"\n");
}

#[test]
fn an_action_answers_the_first_item_before_the_second_is_sent() {
    let caller = Caller::start(&[]);
    let mut wire = Wire::form(&caller, "double_items", r#"["$R1"]"#);
    wire.read_until("\"$2\"\n");
    wire.part("S1", "1");
    wire.read_until(":2\n");
    wire.part("S1", "21");
    wire.read_until(":42\n");
    wire.part("S1", "C");
    wire.end();
    wire.read_until(":C\n");
}

#[test]
fn what_is_given_back_arrives_as_it_came() {
    let caller = Caller::start(&[]);
    let mut wire = Wire::form(&caller, "stream_echo", r#"[{"later":"$@1","items":"$R2"}]"#);
    wire.read_until("\"items\":\"$3\"");
    wire.part("1", r#""kept""#);
    wire.read_until(":\"kept\"\n");
    wire.part("S2", "7");
    wire.read_until(":7\n");
    // What does not come to an end ends with an error.
    wire.end();
    wire.read_until("E{");
    wire.read_until("0\r\n\r\n");
}

#[test]
fn a_promise_is_awaited_as_a_future() {
    let caller = Caller::start(&[]);
    let mut wire = Wire::form(&caller, "promised_length", r#"["$@1"]"#);
    wire.part("1", r#""hello""#);
    wire.end();
    wire.read_until("1:5\n");
    let mut broken = Wire::form(&caller, "promised_length", r#"["$@1"]"#);
    broken.end();
    broken.read_until("1:null\n");
}

#[test]
fn a_form_shows_a_state_that_was_ready_later() {
    let caller = Caller::start(&[]);
    let fields = caller.get("/later-state").hidden_fields();
    let answer = caller.submit("/later-state", &fields, None);
    assert!(answer.status == 200 && answer.body.starts_with("<p>done</p>"), "{}", answer.body);
}

/// Goal: a client that takes nothing costs a full buffer, and not for ever. Method: an answer that is always ready, and
/// a client that never reads; the answer is dropped at its timeout, and was not asked for much until then.
#[test]
fn an_answer_whose_client_does_not_read_makes_little_and_ends() {
    let caller = Caller::start(&[("stream_timeout", "1s")]);
    let _unread = Wire::text(&caller, "stream_greedily", "[]");
    caller.journal.wait_for("greedy stream dropped");
    let made = caller.journal.notes().iter().filter(|note| note.ends_with("MiB made")).count();
    assert!(made < 64, "{made} MiB were made for a client that reads nothing");
}

#[action(public, name = "stream_greedily")]
async fn stream_greedily(cx: &ActionContext) -> Stream<String> {
    let journal = cx.state::<Journal>().clone();
    let dropped = Noted(journal.clone(), "greedy stream dropped");
    Stream::new(stream::iter(1..1000).map(move |number| {
        let Noted(journal, _) = &dropped;
        journal.note(format!("{number} MiB made"));
        "x".repeat(1 << 20)
    }))
}

#[test]
fn cancelling_reaches_an_action_that_still_runs() {
    let caller = Caller::start(&[]);
    let wire = open(&caller, "until_gone");
    caller.journal.wait_for("running");
    drop(wire);
    caller.journal.wait_for("cancelled");
}

#[action(public, name = "until_gone")]
async fn until_gone(cx: &ActionContext) {
    let journal = cx.state::<Journal>();
    journal.note("running");
    tokio::time::timeout(Duration::from_secs(20), cx.cancelled()).await.expect("it is told");
    journal.note("cancelled");
}
