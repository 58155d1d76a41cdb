use std::task::{Context, Poll, Waker};

use super::{known, text};
use crate::{
    Value,
    multipart::Part,
    reply::{Incoming, Limits, ReplyErrorKind},
    value::{Flow, Items, Node, Promise, Slot, Stream, StreamEnd},
};

struct Call {
    incoming: Incoming,
    flow: Flow,
}

impl Call {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let flow = Flow::default();
        Self { incoming: Incoming::new(limits, flow.clone(), Box::new(known)), flow }
    }

    fn of(parts: &[(&str, &str)]) -> Self {
        let mut call = Self::new();
        for (name, value) in parts {
            call.push(name, value);
        }
        call
    }

    fn push(&mut self, name: &str, value: &str) {
        self.incoming.push(Part::text(name, value)).unwrap();
    }

    fn root(&self) -> Value {
        self.incoming.root().expect("the root has all it needs")
    }

    /// An argument of the root.
    fn argument(&self, at: usize) -> Value {
        item(&self.root(), at)
    }
}

fn item(value: &Value, at: usize) -> Value {
    value.at(&value.as_array().expect("an array")[at])
}

fn promise(value: &Value) -> Promise {
    match value.node() {
        Some(Node::Promise(promise)) => promise.now().clone(),
        other => panic!("{other:?} is no promise"),
    }
}

fn fulfilled(value: &Value) -> Value {
    match promise(value) {
        Promise::Fulfilled(slot) => value.at(&slot),
        other => panic!("the promise is {other:?}"),
    }
}

fn is_pending(value: &Value) -> bool {
    matches!(promise(value), Promise::Pending(_))
}

fn is_rejected(value: &Value) -> bool {
    matches!(promise(value), Promise::Rejected { .. })
}

fn next(value: &Value) -> Poll<Result<Value, StreamEnd>> {
    let Some(Node::Stream(Stream { items: Items::Live(live), .. })) = value.node() else { panic!() };
    live.poll_next(&Context::from_waker(Waker::noop())).map_ok(|slot| value.at(&slot))
}

fn is_broken_off(value: &Value) -> bool {
    matches!(next(value), Poll::Ready(Err(StreamEnd::Errored { .. })))
}

#[test]
fn the_root_is_there_before_what_its_promises_wait_for() {
    let mut call = Call::new();
    call.push("1", "[7]");
    assert!(call.incoming.root().is_none());
    call.push("0", r#"["$@2","$1"]"#);
    assert!(is_pending(&call.argument(0)) && !call.incoming.is_settled());

    call.push("2", r#"{"late":"$1"}"#);

    let late = fulfilled(&call.argument(0)).get("late").unwrap();
    let Slot::Node(shared) = late.slot() else { panic!() };
    assert!(matches!(call.argument(1).slot(), Slot::Node(id) if id == shared), "one object in both");
    assert!(call.incoming.is_settled());
    assert!(call.incoming.finish().is_ok());
}

#[test]
fn a_root_that_is_a_promise_is_awaited() {
    let mut call = Call::of(&[("0", r#""$@1""#), ("1", r#""$@2""#)]);
    assert!(call.incoming.root().is_none());
    call.push("2", "[1]");
    assert_eq!(call.root(), text("[1]", &Limits::default()).unwrap());
}

#[test]
fn what_must_have_arrived_and_has_not_is_an_error_for_good() {
    for body in
        [r#"["$1"]"#, r#"["$Q1"]"#, r#"["$W1"]"#, r#"["$i1"]"#, r#"["$h1"]"#, r#"["$B1"]"#, r#"["$o1"]"#]
    {
        let mut call = Call::new();
        let error = call.incoming.push(Part::text("0", body)).unwrap_err();
        assert_eq!(call.incoming.push(Part::text("1", "[]")).unwrap_err(), error, "{body}");
        assert_eq!(call.incoming.finish().unwrap_err(), error, "{body}");
    }
}

#[test]
fn a_forward_reference_behind_a_promise_rejects_that_promise() {
    let call = Call::of(&[("0", r#"["$@1","$@2"]"#), ("1", r#"["$3"]"#), ("3", "[]"), ("2", r#"["$3"]"#)]);
    assert!(is_rejected(&call.argument(0)));
    assert!(!is_rejected(&call.argument(1)));
}

#[test]
fn a_server_reference_waits_for_its_bound_arguments_and_what_comes_meanwhile_with_it() {
    let mut call = Call::of(&[("0", r#"["$@1","$@2"]"#), ("3", r#"{"id":"a","bound":"$@4"}"#)]);
    call.push("1", r#"["$h3"]"#);
    call.push("2", "true");
    assert!(is_pending(&call.argument(0)) && is_pending(&call.argument(1)));

    call.push("4", "[5]");

    let reference = item(&fulfilled(&call.argument(0)), 0);
    let Some(Node::ServerReference { bound: Some(bound), .. }) = reference.node() else { panic!() };
    assert!(matches!(bound[..], [Slot::Number(5.0)]));
    assert!(matches!(fulfilled(&call.argument(1)).slot(), Slot::Bool(true)));
}

#[test]
fn a_root_with_a_server_reference_is_there_with_its_bound_arguments_or_never() {
    let parts = [("1", r#"{"id":"a","bound":"$@2"}"#), ("0", r#"["$h1"]"#)];
    let mut call = Call::of(&parts);
    assert!(call.incoming.root().is_none());
    call.push("2", r#"["$h1"]"#);
    assert!(call.incoming.root().is_some(), "bound to itself: all of it is there");

    let error = Call::of(&parts).incoming.finish().unwrap_err();
    assert_eq!(error.kind, ReplyErrorKind::Incomplete { what: "a promise" });
}

#[test]
fn every_holder_of_a_server_reference_fails_with_its_bound_arguments() {
    let parts = [
        ("3", r#"{"id":"a","bound":"$@4"}"#),
        ("5", r#"["$R6","$h3"]"#),
        ("0", r#"["$@1","$@2","$R7","$@5"]"#),
        ("1", r#"["$h3"]"#),
        ("2", r#"["$5"]"#),
        ("S7", "1"),
        ("S7", r#""$h3""#),
        ("S7", "2"),
        ("4", "{"),
    ];
    let call = Call::of(&parts);
    for promise in [0, 1, 3] {
        assert!(is_rejected(&call.argument(promise)), "{promise}");
    }
    assert!(matches!(next(&call.argument(2)), Poll::Ready(Ok(_))), "rows before it are good");
    assert!(is_broken_off(&call.argument(2)));
    assert!(call.incoming.is_settled(), "the stream that stood in what failed is closed too");

    let mut later = Call::of(&[("0", r#"["$@1"]"#), parts[0], ("4", "{")]);
    later.push("1", r#"["$h3"]"#);
    assert!(is_rejected(&later.argument(0)), "they failed before");
}

#[test]
fn rows_are_handed_on_as_they_come_and_counted_until_they_are_read() {
    let mut call = Call::of(&[("0", r#"["$R1"]"#), ("S1", r#""ab""#), ("S1", "12")]);
    let stream = call.argument(0);
    assert_eq!(call.flow.unread_bytes(), 6);
    assert!(matches!(next(&stream), Poll::Ready(Ok(value)) if value.as_str() == Some("ab")));
    assert_eq!(call.flow.unread_bytes(), 2);
    assert!(matches!(next(&stream), Poll::Ready(Ok(_))));
    assert!(next(&stream).is_pending());

    call.push("S1", "C");
    call.push("S1", "3");

    assert!(matches!(next(&stream), Poll::Ready(Err(StreamEnd::Closed))));
    assert!(call.incoming.is_settled());
}

#[test]
fn rows_that_came_before_their_stream_was_met_are_in_it() {
    let call = Call::of(&[("0", r#"["$@1"]"#), ("S2", "1"), ("S2", "C\"r\""), ("1", r#"["$x2"]"#)]);
    let iterator = item(&fulfilled(&call.argument(0)), 0);
    assert!(matches!(next(&iterator), Poll::Ready(Ok(_))));
    let Poll::Ready(Err(StreamEnd::Returned(Slot::String(text)))) = next(&iterator) else { panic!() };
    assert_eq!(text, "r");
}

#[test]
fn a_row_that_cannot_be_read_breaks_off_its_stream_alone() {
    for row in ["{", "1,\"done\":true", "1 2", "\"$5\"", "\"$T\"", ""] {
        let call = Call::of(&[("0", r#"["$X1","$R2"]"#), ("S1", row), ("S1", "1"), ("S2", "1")]);
        assert!(is_broken_off(&call.argument(0)), "{row}");
        assert!(matches!(next(&call.argument(1)), Poll::Ready(Ok(_))), "{row}");
    }
}

#[test]
fn a_byte_stream_takes_views_of_bytes_alone() {
    for (row, is_taken) in [("\"$o2\"", true), ("\"$V2\"", true), ("\"$A2\"", false), ("1", false)] {
        let mut call = Call::of(&[("0", r#"["$r1"]"#)]);
        call.incoming.push(Part::file("2", "blob", "", "abc")).unwrap();
        call.push("S1", row);
        assert_eq!(matches!(next(&call.argument(0)), Poll::Ready(Ok(_))), is_taken, "{row}");
    }
}

#[test]
fn one_id_makes_one_stream() {
    for root in [r#"["$R1","$R1"]"#, r#"["$R1","$x1"]"#] {
        let error = Call::new().incoming.push(Part::text("0", root)).unwrap_err();
        assert_eq!(error.kind, ReplyErrorKind::UsedTwice { what: "a stream" });
    }
}

/// What is handed out of a call whose body is about to end without it.
fn handed_out(call: &Call) -> [Value; 3] {
    assert!(is_pending(&call.argument(0)) && is_pending(&call.argument(1)));
    assert!(next(&call.argument(2)).is_pending());
    [0, 1, 2].map(|at| call.argument(at))
}

fn assert_over([first, second, stream]: &[Value; 3]) {
    assert!(is_rejected(first) && is_rejected(second) && is_broken_off(stream));
}

#[test]
fn nothing_hangs_after_the_end_an_error_or_when_nobody_decodes_any_more() {
    let parts = [("0", r#"["$@1","$@2","$R3"]"#), ("1", r#""$@2""#)];

    let mut ended = Call::of(&parts);
    let of_ended = handed_out(&ended);
    ended.incoming.finish().unwrap();
    assert_over(&of_ended);
    assert!(ended.incoming.is_settled());
    ended.push("2", "1");
    assert_over(&of_ended);

    let mut failed = Call::of(&parts);
    let of_failed = handed_out(&failed);
    let deep = format!("{}{}", "[".repeat(600), "]".repeat(600));
    assert!(failed.incoming.push(Part::text("2", deep)).is_err());
    assert_over(&of_failed);

    let dropped = Call::of(&parts);
    let of_dropped = handed_out(&dropped);
    drop(dropped);
    assert_over(&of_dropped);
}

#[test]
fn promises_of_promises_are_one_promise_in_whatever_order_they_come() {
    let models = [("1", r#""$@2""#), ("2", r#""$@3""#), ("3", "7")];
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [0, 2, 1], [1, 2, 0], [2, 0, 1]] {
        let mut call = Call::of(&[("0", r#"["$@1","$@2","$@3"]"#)]);
        for at in order {
            call.push(models[at].0, models[at].1);
        }
        for at in 0..3 {
            assert!(matches!(fulfilled(&call.argument(at)).slot(), Slot::Number(7.0)), "{order:?}, {at}");
        }
    }
}

#[test]
fn promises_that_wait_for_each_other_are_rejected_with_all_that_wait_for_them() {
    let root = ("0", r#"["$@1","$@2","$@3"]"#);
    let call = Call::of(&[root, ("1", r#""$@2""#), ("3", r#""$@1""#), ("2", r#""$@1""#)]);
    for at in 0..3 {
        assert!(is_rejected(&call.argument(at)), "{at}");
    }
    assert!(is_rejected(&Call::of(&[("0", r#"["$@1"]"#), ("1", r#""$@1""#)]).argument(0)));
}

#[test]
fn names_of_old_clients_mean_something_where_the_setting_says_so() {
    let parts = [
        ("1", r#"{"id":"a","bound":null}"#),
        ("2_x", "1"),
        ("0", r#"["$F1","$K2","$X3"]"#),
        ("3", "7"),
        ("3", "C"),
    ];
    let mut call = Call::with(Limits { old_clients: true, ..Limits::default() });
    for (name, value) in parts {
        call.push(name, value);
    }
    assert!(matches!(call.argument(0).node(), Some(Node::ServerReference { .. })));
    assert!(matches!(call.argument(1).node(), Some(Node::FormData(entries)) if entries.len() == 1));
    assert!(matches!(next(&call.argument(2)), Poll::Ready(Ok(_))));
    assert!(matches!(next(&call.argument(2)), Poll::Ready(Err(StreamEnd::Closed))));

    let mut call = Call::of(&[("241", "[]"), ("2_x", "1"), ("0", r#"["$F1","$K2","$X3"]"#), ("3", "7")]);
    assert!(matches!(call.argument(0).node(), Some(Node::Array(_))), "the tag is a part's id");
    assert!(matches!(call.argument(1).node(), Some(Node::FormData(entries)) if entries.is_empty()));
    assert!(next(&call.argument(2)).is_pending());
    call.incoming.finish().unwrap();
}

/// Found by fuzzing: the refused second use took the rows of the first, for a stream that there was not.
#[test]
fn a_stream_used_again_behind_a_promise_keeps_its_rows() {
    let call = Call::of(&[("0", r#"["$R1","$@2"]"#), ("2", r#""$R1""#), ("S1", "5"), ("S1", "C")]);
    assert!(matches!(promise(&call.argument(1)), Promise::Rejected { .. }));
    let Some(Node::Stream(Stream { items: Items::Live(live), .. })) = call.argument(0).node().cloned() else {
        panic!("the first use is a stream");
    };
    let context = Context::from_waker(Waker::noop());
    assert!(matches!(live.poll_next(&context), Poll::Ready(Ok(Slot::Number(5.0)))));
    assert!(matches!(live.poll_next(&context), Poll::Ready(Err(StreamEnd::Closed))));
}

#[test]
fn a_decoder_can_be_sent_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&Call::new().incoming);
}
