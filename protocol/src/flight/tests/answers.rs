//! Answers that go on.

use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::{FutureExt as _, StreamExt as _, stream};

use super::{
    super::{Answer, Failed, Problem, Rest, encode_answer},
    *,
};
use crate::{
    action_error::ActionError,
    js::{AsyncIterable, ByteStream, Later, Stream},
    value::{Blob, BlobContent, Builder, Flow, Node, Pending, Promise, Spilled},
};

/// A gate that futures wait at.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<Mutex<(bool, Vec<Waker>)>>);

impl Gate {
    pub(super) fn open(&self) {
        let mut gate = self.0.lock().unwrap();
        gate.0 = true;
        gate.1.drain(..).for_each(Waker::wake);
    }

    pub(super) async fn passed(self) {
        poll_fn(|context| {
            let mut gate = self.0.lock().unwrap();
            if gate.0 {
                return Poll::Ready(());
            }
            gate.1.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Whether it was woken since it was last asked.
#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The rows that are ready.
pub(super) fn ready(rest: &mut Rest) -> Vec<u8> {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut rows = Vec::new();
    loop {
        match rest.poll_rows(&mut Context::from_waker(&waker)) {
            Poll::Ready(Some(batch)) => rows.extend_from_slice(&batch),
            Poll::Pending if bell.0.swap(false, Ordering::SeqCst) => {}
            Poll::Pending | Poll::Ready(None) => return rows,
        }
    }
}

fn started<T: Serialize>(value: &T) -> (String, Rest) {
    let Answer { head, rest } = encode_answer(value, 0).unwrap();
    (String::from_utf8(head.to_vec()).unwrap(), rest.unwrap())
}

fn next(rest: &mut Rest) -> String {
    String::from_utf8(ready(rest)).unwrap()
}

#[derive(Debug, thiserror::Error)]
#[error("the pipe at 10.0.0.1 burst")]
struct Burst;

impl ActionError for Burst {
    fn code(&self) -> std::borrow::Cow<'static, str> {
        "burst".into()
    }
}

/// Something that no client can be sent.
struct Unsendable;

impl Serialize for Unsendable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no form"))
    }
}

#[test]
fn later_values_follow_in_the_order_in_which_they_are_ready() {
    let gates = [Gate::default(), Gate::default()];
    let later = |gate: &Gate, value| Later::new(gate.clone().passed().map(move |()| value));
    let (head, mut rest) = started(&(later(&gates[0], "first"), later(&gates[1], "second")));
    assert_eq!(head, "0:[\"$@1\",\"$@2\"]\n");
    assert_eq!(next(&mut rest), "");

    gates[1].open();
    assert_eq!(next(&mut rest), "2:\"second\"\n");
    gates[0].open();
    assert_eq!(next(&mut rest), "1:\"first\"\n");
    assert_eq!(rest.open(), 0);
}

#[test]
fn an_answer_without_anything_later_is_whole() {
    let answer = encode_answer(&("x", 1), 1).unwrap();
    assert_eq!(answer.head, "1:[\"x\",1]\n");
    assert!(answer.rest.is_none());
}

#[test]
fn items_have_the_rows_that_the_client_reads_at_once() {
    let items = ["a\n", "", "\u{feff}bom", "$", "b\u{feff}"];
    let (head, mut rest) = started(&Stream::new(stream::iter(items)));
    assert_eq!(head, "1:R\n0:\"$1\"\n");
    assert_eq!(next(&mut rest), "1:T2,a\n1:\"\"\n1:\"\u{feff}bom\"\n1:T1,$1:T4,b\u{feff}1:C\n");
    let lone = JsString::from_units(&[0xD800]);
    let (_, mut rest) = started(&AsyncIterable::new(stream::iter([lone])));
    assert_eq!(next(&mut rest), "1:\"\\ud800\"\n1:C\n");
    let bytes = [ByteArray::from(&b"\n"[..]), ByteArray::default()];
    let (_, mut rest) = started(&Stream::new(stream::iter(bytes)));
    assert_eq!(next(&mut rest), "1:o1,\n2:o0,1:\"$2\"\n1:C\n");
    let (head, mut rest) = started(&ByteStream::new(stream::iter(["a", "", "bc"].map(bytes::Bytes::from))));
    assert_eq!(head, "1:r\n0:\"$1\"\n");
    assert_eq!(next(&mut rest), "1:b1,a1:b2,bc1:C\n");
}

#[test]
fn what_is_made_may_make_more() {
    let inner = || Stream::new(stream::iter([Later::new(async { [1] })]));
    let (head, mut rest) = started(&Later::new(async move { vec![inner(), inner()] }));
    assert_eq!(head, "0:\"$@1\"\n");
    assert_eq!(
        next(&mut rest),
        "2:R\n3:R\n1:[\"$2\",\"$3\"]\n2:\"$@4\"\n3:\"$@5\"\n4:[1]\n2:C\n5:[1]\n3:C\n"
    );
}

#[test]
fn an_error_shows_its_digest_and_the_log_gets_the_rest() {
    let items = [Ok(1), Err(Burst), Ok(2)];
    let failing = Later::<u8>::try_new(async { Err(Burst) });
    let (_, mut rest) = started(&(Stream::try_new(stream::iter(items)), failing));

    let rows = next(&mut rest);

    assert_eq!(rows, "1:1\n2:E{\"digest\":\"burst\"}\n1:E{\"digest\":\"burst\"}\n");
    let digest = Some("burst".to_owned());
    let failed = |row| Failed { row, digest: digest.clone(), private: "the pipe at 10.0.0.1 burst".into() };
    assert_eq!(rest.failed(), [failed(2), failed(1)]);
    assert_eq!(rest.failed(), []);
}

#[test]
fn an_item_that_cannot_be_encoded_ends_its_stream_alone() {
    let bad = stream::iter([0, 1, 2]).map(|n| if n == 1 { Err(Unsendable) } else { Ok(n) });
    let bad = bad.map(|item| item.map_or_else(|bad| ("x", None, Some(bad)), |n| ("x", Some(n), None)));
    let (_, mut rest) = started(&(Stream::new(bad), Stream::new(stream::iter([7, 8, 9]))));

    let rows = next(&mut rest);

    let broken = "1:E{\"digest\":\"unencodable-value\"}\n";
    assert_eq!(rows, format!("1:[\"x\",0,null]\n2:7\n{broken}2:8\n2:9\n2:C\n"));
    assert_eq!(rest.failed()[0].private, "no form at [2]");
}

#[test]
fn who_panics_fails_alone() {
    struct Bomb;
    impl Serialize for Bomb {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            // What it leaves behind must not reach the next.
            crate::js::handover::put(Value::null());
            serializer.serialize_str(if crate::js::handover::take().is_some() { panic!("boom") } else { "" })
        }
    }
    let polled = Stream::new(stream::iter([1, 2]).map(|n| if n == 2 { panic!("twice {n}") } else { n }));
    let written = Later::new(async { Bomb });
    let (_, mut rest) = started(&(polled, written, Stream::new(stream::iter(["a", "b"]))));

    let rows = next(&mut rest);

    let panicked = |row| format!("{row}:E{{\"digest\":\"panic\"}}\n");
    assert_eq!(rows, format!("1:1\n{}3:T1,a{}3:T1,b3:C\n", panicked(2), panicked(1)));
    let private: Vec<String> = rest.failed().into_iter().map(|failed| failed.private).collect();
    assert_eq!(private, ["panicked: boom", "panicked: twice 2"]);
}

#[test]
fn a_failed_row_leaves_nothing_that_others_refer_to() {
    let mut builder = Builder::new();
    let shared = builder.add(Node::Map(vec![(slot(1.0), slot(2.0))]));
    let element = builder.add(Node::Element { kind: Slot::Null, key: Slot::Null, props: Slot::Null });
    let bad = builder.add(Node::Array(vec![Slot::Node(shared), Slot::Node(shared), Slot::Node(element)]));
    let value = builder.finish(Slot::Node(shared));
    let bad = Stream::new(stream::iter([Handed(value.at(&Slot::Node(bad)))]));
    let good = Stream::new(stream::iter([Handed(value.clone()), Handed(value)]));
    let Answer { head, rest } = encode_answer(&(bad, good), 0).unwrap();

    let rows = [head.to_vec(), ready(&mut rest.unwrap())].concat();

    let root = read(&rows);
    let good = root.at(&root.as_array().unwrap()[1]);
    let Some(Node::Stream(crate::value::Stream {
        items: crate::value::Items::Complete { items, .. }, ..
    })) = good.node()
    else {
        panic!()
    };
    assert!(
        matches!(&items[..], [Slot::Node(one), Slot::Node(two)] if one == two),
        "shared across items: {}",
        String::from_utf8_lossy(&rows)
    );
    assert!(matches!(root.at(&items[0]).node(), Some(Node::Map(entries)) if entries.len() == 1));
}

#[test]
fn whoever_is_dropped_makes_nothing_more() {
    let held = Arc::new(());
    let (one, two) = (Arc::clone(&held), Arc::clone(&held));
    let waits = Later::new(async move {
        std::future::pending::<()>().await;
        drop(one);
    });
    let gives = Stream::new(stream::repeat(two).map(|_| 1));
    let Answer { rest, .. } = encode_answer(&(waits, gives), 0).unwrap();
    assert_eq!(Arc::strong_count(&held), 3);
    let mut rest = rest.unwrap();
    assert!(rest.poll_rows(&mut Context::from_waker(Waker::noop())).is_ready());

    drop(rest);

    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn what_is_open_can_be_ended_with_a_digest() {
    let stuck = || Later::new(std::future::pending::<u8>());
    let (_, mut rest) = started(&(stuck(), Later::new(async { 1 }), stuck()));
    assert_eq!(next(&mut rest), "2:1\n");
    assert_eq!(rest.abort("late"), "1:E{\"digest\":\"late\"}\n3:E{\"digest\":\"late\"}\n");
}

#[test]
fn one_that_is_always_ready_does_not_keep_others_waiting() {
    let endless = Stream::new(stream::repeat("x".repeat(1000)));
    let (_, mut rest) = started(&(endless, Stream::new(stream::iter([1, 2]))));

    let Poll::Ready(Some(batch)) = rest.poll_rows(&mut Context::from_waker(Waker::noop())) else { panic!() };

    assert!(batch.len() < 2 * (64 << 10), "a batch ends");
    assert!(batch.windows(4).any(|window| window == b"2:C\n"));
    // Items that make no rows do not hold the task either.
    let nothing = ByteStream::new(stream::repeat(bytes::Bytes::new()));
    let (_, mut rest) = started(&nothing);
    assert!(rest.poll_rows(&mut Context::from_waker(Waker::noop())).is_pending());
}

/// Goal: with many producers open, waking one costs one poll. Method: count polls.
#[test]
fn only_those_that_were_woken_are_polled() {
    const PRODUCERS: usize = 5000;
    let polls = Arc::new(AtomicUsize::new(0));
    let gates: Vec<Gate> = (0..PRODUCERS).map(|_| Gate::default()).collect();
    let later: Vec<_> = gates
        .iter()
        .map(|gate| {
            let (polls, mut passed) = (Arc::clone(&polls), Box::pin(gate.clone().passed()));
            Later::new(poll_fn(move |context| {
                polls.fetch_add(1, Ordering::Relaxed);
                passed.poll_unpin(context)
            }))
        })
        .collect();
    let (_, mut rest) = started(&later);
    assert_eq!(next(&mut rest), "");
    assert_eq!(polls.load(Ordering::Relaxed), PRODUCERS);

    for gate in gates.iter().rev() {
        gate.open();
        assert!(next(&mut rest).ends_with(":null\n"));
    }

    assert_eq!(polls.load(Ordering::Relaxed), 2 * PRODUCERS);
    assert_eq!(rest.open(), 0);
}

#[test]
fn what_is_still_to_come_needs_an_answer_that_goes_on() {
    let error = encode(&(1, Later::new(async { 1 })), 0).unwrap_err();
    assert_eq!(error.problem(), &Problem::StillToCome { kind: "a promise" });
    let error = encode(&[ByteStream::new(stream::empty())], 0).unwrap_err();
    assert_eq!(error.problem(), &Problem::StillToCome { kind: "a stream" });
    let later = Later::new(async { 1 });
    assert_eq!(
        encode_answer(&(&later, &later), 0).unwrap_err().to_string(),
        "a later value can be sent once at [1]"
    );
}

#[derive(Debug)]
struct OnDisk(Vec<u8>, bool);

impl Spilled for OnDisk {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, into: &mut [u8], offset_bytes: u64) -> std::io::Result<usize> {
        if self.1 {
            return Err(std::io::Error::other("the disk is gone"));
        }
        let from = &self.0[usize::try_from(offset_bytes).unwrap()..];
        let length = from.len().min(into.len());
        into[..length].copy_from_slice(&from[..length]);
        Ok(length)
    }
}

fn on_disk(bytes: &[u8], is_gone: bool) -> Blob {
    let content = BlobContent::Spilled(Arc::new(OnDisk(bytes.to_vec(), is_gone)));
    Blob { name: None, media_type: "text/plain".into(), content }
}

#[test]
fn a_file_that_is_not_in_memory_is_sent_in_pieces() {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    let expected = Blob { name: None, media_type: "text/plain".into(), content: bytes.clone().into() };
    let Answer { head, rest } = encode_answer(&[on_disk(&bytes, false)], 0).unwrap();
    assert_eq!(head, "1:\"$B2\"\n0:[\"$1\"]\n");
    let mut rest = rest.unwrap();
    let Poll::Ready(Some(batch)) = rest.poll_rows(&mut Context::from_waker(Waker::noop())) else { panic!() };
    assert!(batch.len() < 100_000, "only some of it is in memory");

    let answer = read(&[head.to_vec(), batch.to_vec(), ready(&mut rest)].concat());
    let whole = read(&encode(&[on_disk(&bytes, false)], 0).unwrap());

    for value in [answer, whole] {
        let item = value.at(&value.as_array().unwrap()[0]);
        assert!(matches!(item.node(), Some(Node::Blob(blob)) if *blob == expected));
    }
}

#[test]
fn a_file_that_cannot_be_read_back_fails() {
    let (_, mut rest) = started(&[on_disk(b"x", true)]);
    assert_eq!(next(&mut rest), "2:E{}\n");
    assert_eq!(rest.failed()[0].private, "the disk is gone");
    let (_, mut rest) = started(&[on_disk(b"", false)]);
    assert_eq!(next(&mut rest), "2:[\"text/plain\"]\n");
}

#[test]
fn what_a_later_row_is_can_be_met_again() {
    let mut builder = Builder::new();
    let node = builder.add(Node::Array(vec![]));
    let value = builder.finish(Slot::Node(node));
    let later = || {
        let value = Handed(value.clone());
        Later::new(async { value })
    };
    let (_, mut rest) = started(&(later(), later()));
    assert_eq!(next(&mut rest), "1:[]\n2:\"$1\"\n");
}

/// Goal: a client that is told that a promise is resolved by itself would wait for ever.
#[test]
fn promises_that_are_settled_to_each_other_are_refused() {
    let flow = Flow::default();
    let (one, two) = (Pending::new(&flow), Pending::new(&flow));
    let mut builder = Builder::new();
    let first = builder.add(Node::Promise(Promise::Pending(one.clone())));
    let second = builder.add(Node::Promise(Promise::Pending(two.clone())));
    let value = builder.finish(Slot::Node(first));
    let (head, mut rest) = started(&[Handed(value)]);
    assert_eq!(head, "0:[\"$@1\"]\n");

    one.settle(Promise::Fulfilled(Slot::Node(second)));
    assert_eq!(next(&mut rest), "1:\"$@2\"\n");
    two.settle(Promise::Fulfilled(Slot::Node(first)));
    assert_eq!(next(&mut rest), "2:E{\"digest\":\"unencodable-value\"}\n");
}

/// Goal: an endless stream of values with graphs of their own keeps none of them.
#[test]
fn graphs_that_nobody_holds_are_forgotten() {
    let graphs = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&graphs);
    let items = stream::iter(0..1000).map(move |_| {
        let mut builder = Builder::new();
        let node = builder.add(Node::Set(vec![slot(1.0)]));
        let value = builder.finish(Slot::Node(node));
        kept.lock().unwrap().push(Arc::downgrade(value.graph()));
        Handed(value)
    });
    let (_, mut rest) = started(&(Stream::new(items), Later::new(std::future::pending::<()>())));
    ready(&mut rest);
    let graphs = graphs.lock().unwrap();
    assert_eq!((graphs.len(), graphs.iter().filter(|graph| graph.strong_count() > 0).count()), (1000, 0));
}

/// Goal: parts of one graph in many items cost as much as the graph. Method: each item is one object of a deep nest,
/// the outermost first.
#[test]
fn parts_of_one_graph_in_many_items_are_written_at_most_twice() {
    const LEVELS: usize = 2000;
    let mut builder = Builder::new();
    let mut nodes = vec![builder.add(Node::Array(vec![]))];
    for _ in 0..LEVELS {
        let inner = Slot::Node(*nodes.last().unwrap());
        nodes.push(builder.add(Node::Array(vec![inner])));
    }
    let value = builder.finish(Slot::Null);
    let items: Vec<_> = nodes.iter().rev().map(|node| Handed(value.at(&Slot::Node(*node)))).collect();
    let (_, mut rest) = started(&Stream::new(stream::iter(items)));
    let rows = ready(&mut rest);
    assert!(rows.len() < LEVELS * 40, "{} bytes", rows.len());
}

#[test]
fn an_iterator_is_sent_once_and_an_answer_can_be_sent_between_threads() {
    fn is_send<T: Send + 'static>(_: &T) {}
    let stream = Stream::new(stream::iter([1]));
    let answer = encode_answer(&stream, 0).unwrap();
    is_send(&answer);
    let error = encode_answer(&stream, 0).unwrap_err();
    assert_eq!(error.to_string(), "a stream can be sent once at the top");
    assert_eq!(
        serde_json::to_string(&Stream::new(stream::iter([1]))).unwrap_err().to_string(),
        "a stream that is still to come has no form here"
    );
    assert!(crate::js::handover::take_made().is_none());
}
