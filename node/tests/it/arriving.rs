//! Bodies that still arrive while their call runs, sent piece by piece over a socket.

use std::{
    future::poll_fn,
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use callboard::{ActionContext, Failure, Value, action};
use callboard_protocol::value::{Items, Live, Node as ValueNode, Promise, Slot, StreamEnd};

use crate::{client::Caller, order::Journal};

const BOUNDARY: &str = "arriving";

/// One POST, whose body is sent when the test says so.
pub(crate) struct Wire(TcpStream);

impl Wire {
    /// Sends the head of a call whose arguments are a form, and its first delimiter.
    pub(crate) fn open(caller: &Caller, action: &str) -> Self {
        Self::open_with(caller, action, "")
    }

    /// The same, with further headers, each with the end of its line.
    pub(crate) fn open_with(caller: &Caller, action: &str, headers: &str) -> Self {
        let mut wire = Self::connect(caller);
        let reference = caller.reference(action);
        wire.write(
            format!(
                "POST / HTTP/1.1\r\nhost: it\r\nnext-action: {reference}\r\ncontent-type: multipart/form-data; \
                 boundary={BOUNDARY}\r\n{headers}transfer-encoding: chunked\r\n\r\n"
            )
            .as_bytes(),
        );
        wire.write(&chunk(format!("--{BOUNDARY}").as_bytes()));
        wire
    }

    /// The same, and the part that holds the arguments, which may name others.
    pub(crate) fn form(caller: &Caller, action: &str, arguments: &str) -> Self {
        let mut wire = Self::open(caller, action);
        wire.part("0", arguments);
        wire
    }

    /// Sends a whole call whose arguments are one text.
    pub(crate) fn text(caller: &Caller, action: &str, arguments: &str) -> Self {
        let mut wire = Self::connect(caller);
        wire.send_text(caller, action, arguments);
        wire
    }

    /// A connection on which nothing was sent.
    pub(crate) fn connect(caller: &Caller) -> Self {
        let socket = TcpStream::connect(caller.node.address()).expect("a connection");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        Self(socket)
    }

    /// The same, as the next call of this connection.
    pub(crate) fn send_text(&mut self, caller: &Caller, action: &str, arguments: &str) {
        let reference = caller.reference(action);
        let length = arguments.len();
        self.write(
            format!(
                "POST / HTTP/1.1\r\nhost: it\r\nnext-action: {reference}\r\ncontent-type: text/plain\r\n\
                 content-length: {length}\r\n\r\n{arguments}"
            )
            .as_bytes(),
        );
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the node reads");
    }

    /// One text part, as a chunk of its own. The next part's delimiter ends it, so it comes along.
    pub(crate) fn part(&mut self, name: &str, text: &str) {
        self.write(&chunk(&part(name, text)));
    }

    /// The end of the body.
    pub(crate) fn end(&mut self) {
        self.write(&chunk(b"--\r\n"));
        self.write(b"0\r\n\r\n");
    }

    /// What was answered up to and with this text.
    pub(crate) fn read_until(&mut self, text: &str) -> String {
        let mut read = Vec::new();
        let mut byte = [0];
        while !read.ends_with(text.as_bytes()) {
            // A timeout counts as an end.
            let count = self.0.read(&mut byte).unwrap_or(0);
            assert!(count > 0, "no {text:?} in {:?}", String::from_utf8_lossy(&read));
            read.push(byte[0]);
        }
        String::from_utf8(read).expect("text")
    }

    /// Everything that is answered from here on.
    pub(crate) fn read_to_end(&mut self) -> String {
        let mut read = String::new();
        self.0.read_to_string(&mut read).expect("an answer");
        read
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn part(name: &str, text: &str) -> Vec<u8> {
    format!("\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n--{BOUNDARY}").into_bytes()
}

/// The promise that an argument is, settled.
async fn settled(value: &Value) -> Option<Value> {
    let Some(ValueNode::Promise(promise)) = value.node() else { return Some(value.clone()) };
    if let Promise::Pending(pending) = promise.now() {
        poll_fn(|context| pending.poll_settled(context).map(|_| ())).await;
    }
    match promise.now() {
        Promise::Fulfilled(slot) => Some(value.at(slot)),
        _ => None,
    }
}

fn live(value: &Value) -> Option<Live> {
    match value.node() {
        Some(ValueNode::Stream(stream)) => match &stream.items {
            Items::Live(live) => Some(live.clone()),
            Items::Complete { .. } => None,
        },
        _ => None,
    }
}

async fn next(live: &Live) -> Result<Slot, StreamEnd> {
    poll_fn(|context| live.poll_next(context)).await
}

#[action(public, name = "await_promise")]
async fn await_promise(cx: &ActionContext, promise: Value) -> String {
    let journal = cx.state::<Journal>();
    journal.note("promise awaited");
    let text = match settled(&promise).await {
        Some(value) => format!("kept: {}", value.as_str().unwrap_or("no text")),
        None => "broken".to_owned(),
    };
    journal.note(text.clone());
    text
}

/// Notes each item, and gives how many there were and how it ended.
#[action(public, name = "note_items")]
async fn note_items(cx: &ActionContext, items: Value) -> Result<String, Failure> {
    let journal = cx.state::<Journal>();
    let live = live(&items).ok_or_else(|| Failure::public("not-live", "the body was there before"))?;
    journal.note("reading");
    let mut count = 0;
    let end = loop {
        match next(&live).await {
            Ok(Slot::String(text)) => journal.note(text.as_str().unwrap_or("no text")),
            Ok(_) => {}
            Err(end) => break end,
        }
        count += 1;
    };
    let end = if matches!(end, StreamEnd::Closed) { "closed" } else { "broken off" };
    journal.note(end);
    Ok(format!("{count} items, {end}"))
}

/// Holds a stream until the test lets it go, and then counts what is in it.
#[action(public, name = "hold_items")]
async fn hold_items(cx: &ActionContext, items: Value) -> Result<u64, Failure> {
    let journal = cx.state::<Journal>();
    let live = live(&items).ok_or_else(|| Failure::public("not-live", "the body was there before"))?;
    journal.note("holding");
    journal.released().await;
    let mut count = 0;
    while next(&live).await.is_ok() {
        count += 1;
    }
    Ok(count)
}

#[action(public, name = "keyed_items", key = key)]
async fn keyed_items(cx: &ActionContext, key: String, items: Value) -> usize {
    cx.state::<Journal>().note(format!("{key} runs"));
    live(&items).map_or(0, |_| 1)
}

#[action(public, name = "add_numbers")]
async fn add_numbers(cx: &ActionContext, a: f64, b: f64) -> f64 {
    cx.state::<Journal>().note("adding");
    a + b
}

#[action(public, name = "hurried_add", timeout = "50ms")]
async fn hurried_add(cx: &ActionContext, a: f64, b: f64) -> f64 {
    add_numbers::call(cx, a, b).await
}

#[test]
fn an_action_reads_items_before_the_rest_of_its_body_is_sent() {
    let caller = Caller::start(&[]);
    let mut wire = Wire::form(&caller, "note_items", r#"["$R1"]"#);
    caller.journal.wait_for("reading");
    wire.part("S1", r#""first""#);
    caller.journal.wait_for("first");
    wire.part("S1", r#""second""#);
    caller.journal.wait_for("second");
    wire.part("S1", "C");
    wire.end();
    assert!(wire.read_until("\"2 items, closed\"").starts_with("HTTP/1.1 200"));
}

#[test]
fn an_action_waits_for_a_promise_that_is_kept_later() {
    let caller = Caller::start(&[]);
    let mut wire = Wire::form(&caller, "await_promise", r#"["$@1"]"#);
    caller.journal.wait_for("promise awaited");
    wire.part("1", r#""hello""#);
    caller.journal.wait_for("kept: hello");
    wire.end();
    wire.read_until("\"kept: hello\"");
}

#[test]
fn what_is_unsettled_at_the_end_of_a_body_is_an_error_and_not_a_wait() {
    let caller = Caller::start(&[]);
    let mut wire = Wire::form(&caller, "await_promise", r#"["$@1"]"#);
    caller.journal.wait_for("promise awaited");
    wire.end();
    wire.read_until("\"broken\"");
}

#[test]
fn an_action_whose_body_breaks_off_hears_of_it() {
    for (action, root, begun, heard) in [
        ("note_items", r#"["$R1"]"#, "reading", "broken off"),
        ("await_promise", r#"["$@1"]"#, "promise awaited", "broken"),
    ] {
        let caller = Caller::start(&[]);
        let wire = Wire::form(&caller, action, root);
        caller.journal.wait_for(begun);
        drop(wire);
        caller.journal.wait_for(heard);
    }
}

#[test]
fn an_action_whose_body_turns_out_malformed_hears_of_it() {
    let caller = Caller::start(&[]);
    let mut wire = Wire::form(&caller, "note_items", r#"["$R1"]"#);
    caller.journal.wait_for("reading");
    wire.write(&chunk(b"no delimiter goes on like this"));
    wire.read_until("\"0 items, broken off\"");
}

#[test]
fn an_action_whose_body_pauses_for_too_long_hears_of_it() {
    let caller = Caller::start(&[("body_timeout", "50ms")]);
    let mut wire = Wire::form(&caller, "note_items", r#"["$R1"]"#);
    wire.read_until("\"0 items, broken off\"");
}

/// Goal: whoever sends faster than an action reads has to wait. Method: send into a node whose action reads nothing
/// until the socket takes no more, which has to be long before the whole is sent; then let the action read.
#[test]
fn a_sender_that_is_faster_than_the_action_is_stopped() {
    const ITEM_BYTES: usize = 1 << 20;
    const ITEMS: usize = 96;
    let caller = Caller::start(&[
        ("body_bytes_max", "200000000"),
        ("decode_work_max", "4000000000"),
        ("decode_bytes_max", "200000000"),
        ("call_timeout", "60s"),
        // A pause that the action makes is none of the client's.
        ("body_timeout", "2s"),
    ]);
    let item = chunk(&part("S1", &format!("\"{}\"", "x".repeat(ITEM_BYTES))));
    let all = item.repeat(ITEMS);
    let mut wire = Wire::form(&caller, "hold_items", r#"["$R1"]"#);
    caller.journal.wait_for("holding");

    wire.0.set_write_timeout(Some(Duration::from_secs(3))).expect("a timeout");
    let mut sent = 0;
    let stopped = loop {
        match wire.0.write(&all[sent..]) {
            Ok(count) => sent += count,
            Err(error) => break error,
        }
        assert!(sent < all.len(), "nothing stopped the sender");
    };
    assert!(matches!(stopped.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{stopped}");
    // The kernel's buffers take some of it.
    assert!(sent < 48 * ITEM_BYTES, "the node took {sent} bytes that nobody reads");

    caller.journal.release();
    wire.0.set_write_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    wire.write(&all[sent..]);
    wire.part("S1", "C");
    wire.end();
    wire.read_until(&format!("1:{ITEMS}\n"));
}

#[test]
fn a_keyed_call_waits_for_its_whole_body_and_holds_nobody_up() {
    let caller = Caller::start(&[]);
    let mut wire = Wire::form(&caller, "keyed_items", r#"["slow","$R1"]"#);
    assert_eq!(caller.call("keyed_items", r#"["slow",null]"#).row(), "0");
    assert_eq!(caller.journal.notes(), ["slow runs"]);

    wire.part("S1", "C");
    wire.end();
    wire.read_until("1:1\n");
}

#[test]
fn a_number_may_come_as_a_promise_that_is_kept_later() {
    let caller = Caller::start(&[]);
    let mut wire = Wire::form(&caller, "add_numbers", r#"["$@1","$@2"]"#);
    wire.part("2", "2");
    wire.part("1", "1");
    wire.end();
    wire.read_until("1:3\n");
}

#[test]
fn a_promise_that_turns_out_to_be_of_the_wrong_type_is_refused_and_nothing_ran() {
    let caller = Caller::start(&[]);
    let mut wire = Wire::form(&caller, "add_numbers", r#"["$@1",2]"#);
    wire.part("1", r#""one""#);
    wire.end();
    let head = wire.read_until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    assert!(head.contains("callboard-error: argument-mismatch"), "{head}");
    assert!(caller.journal.notes().is_empty());
}

#[test]
fn an_argument_that_does_not_come_in_time_is_told_and_nothing_ran() {
    let caller = Caller::start(&[]);
    let mut wire = Wire::form(&caller, "hurried_add", r#"["$@1",2]"#);
    let head = wire.read_until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert!(head.contains("callboard-error: expired"), "{head}");
    assert!(head.contains("callboard-outcome: not-run"), "{head}");
    assert!(caller.journal.notes().is_empty());
}

/// Goal: a body that is malformed or cut off behind complete arguments is refused as a whole.
#[test]
fn complete_arguments_do_not_run_before_their_body_ended_well() {
    let caller = Caller::start(&[]);
    for rest in [&b"--\r\nmore"[..4], b"\r\nbroken\r\n\r\n"] {
        let mut wire = Wire::form(&caller, "add_numbers", "[1,2]");
        wire.write(&chunk(rest));
        let cut = rest.starts_with(b"--");
        // The first has its last delimiter and its length is told: that is a good end.
        wire.write(b"0\r\n\r\n");
        let head = wire.read_until("\r\n\r\n");
        assert!(head.starts_with(if cut { "HTTP/1.1 200" } else { "HTTP/1.1 400" }), "{head}");
    }
    assert_eq!(caller.journal.notes(), ["adding"]);
}

/// Goal: an action that has what it needs answers at once, whatever its client still sends.
#[test]
fn an_answer_does_not_wait_for_what_nobody_reads() {
    let caller = Caller::start(&[]);
    let mut wire = Wire::form(&caller, "keyless", r#"["$R1"]"#);
    let answer = wire.read_to_end();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[action(public, name = "keyless")]
async fn keyless(_cx: &ActionContext, _items: Value) -> u32 {
    1
}
