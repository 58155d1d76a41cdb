//! What is asked by each kind of operation, of somebody who writes it down and answers as told.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, HashSet},
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use callboard_protocol::multipart::{Content, Limits, Part, boundary, collect};
use hyper::{HeaderMap, Method};

use super::*;
use crate::{
    client::Body,
    observation::{Answer, LedgerCall, LedgerClass},
    target,
};

const REFERENCE: &str = "40aaaa0";

/// Writes down, answers with this, and has three servers.
struct Listener {
    asked: RefCell<Vec<(Asked, Request)>>,
    answer: Box<dyn Fn(&Request) -> End>,
    chosen: Cell<usize>,
    servers: usize,
}

impl Listener {
    fn new(answer: impl Fn(&Request) -> End + 'static) -> Self {
        Self { asked: RefCell::default(), answer: Box::new(answer), chosen: Cell::new(0), servers: 3 }
    }

    fn requests(&self) -> Vec<Request> {
        self.asked.borrow().iter().map(|(_, request)| request.clone()).collect()
    }

    fn subjects(&self) -> Vec<Subject> {
        self.asked.borrow().iter().map(|(asked, _)| asked.subject.clone()).collect()
    }
}

impl Asks for Listener {
    fn choose(&self) -> Option<TargetId> {
        self.chosen.set(self.chosen.get() + 1);
        (self.servers > 0).then(|| TargetId(self.chosen.get() % self.servers))
    }

    async fn ask(&self, asked: Asked, request: Request) -> End {
        let end = (self.answer)(&request);
        self.asked.borrow_mut().push((asked, request));
        // Others that are asked at the same time get their turn.
        let mut has_waited = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut has_waited, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        end
    }
}

fn answered(status: u16, headers: &[(&'static str, &str)], body: &str) -> End {
    let pair = |(name, value): &(&'static str, &str)| (name.parse().unwrap(), value.parse().unwrap());
    let headers: HeaderMap = headers.iter().map(pair).collect();
    End::Answered(Answer { status, headers, body: Bytes::copy_from_slice(body.as_bytes()) })
}

fn operations(operation: &str, kind: target::Kind) -> Operations {
    let text = format!("[load]\nrate = 1\n[[operation]]\nname = \"it\"\n{operation}\n");
    let scenario = Scenario::parse("test", &text).unwrap_or_else(|problems| panic!("{problems}"));
    let references = ["echo", "ledger", "bump"].map(|name| (name.to_owned(), REFERENCE.to_owned())).into();
    Operations::new(&scenario, &target::Catalogue { references, kind }, 1).unwrap()
}

/// Performs an operation so often, and gives what was asked.
fn perform(operation: &str, times: u32, listener: &Listener) -> Operations {
    let operations = operations(operation, target::Kind::Callboard);
    for _ in 0..times {
        wait(operations.perform(0, Duration::from_secs(7), listener));
    }
    operations
}

fn wait(future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    while future.as_mut().poll(&mut context) == Poll::Pending {}
}

fn fine() -> Listener {
    Listener::new(|_| answered(200, &[], ""))
}

fn body(request: &Request) -> &Bytes {
    match &request.body {
        Body::Whole(bytes) | Body::Slow { bytes, .. } => bytes,
    }
}

fn text(request: &Request) -> &str {
    std::str::from_utf8(body(request)).unwrap()
}

fn header<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    request.headers.get(name).map(|value| value.to_str().unwrap())
}

/// The parts of a form: names and texts, and of files their names and types.
fn parts(request: &Request) -> Vec<(String, String)> {
    let boundary = boundary(header(request, "content-type").unwrap()).unwrap();
    let parts = collect(body(request).clone(), boundary, Limits::default()).unwrap();
    let content = |part: &Part| match &part.content {
        Content::Text(text) => text.to_string(),
        Content::File { name, media_type, content } => format!("{name}, {media_type}, {} B", content.len()),
    };
    parts.iter().map(|part| (part.name.to_string(), content(part))).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_call_is_what_reacts_client_sends() {
    let listener = fine();
    perform(
        "action = \"echo\"\narguments = [\"$5\", 1.5, true, [], { a = { \"$undefined\" = true }, b = { \"$null\" = true } }]",
        1,
        &listener,
    );
    let (asked, request) = listener.asked.borrow()[0].clone();
    assert_eq!((asked.operation, asked.intended, asked.is_preparation), (0, Duration::from_secs(7), false));
    assert_eq!(asked.subject, Subject::Call);
    assert_eq!((&request.method, request.path.as_str()), (&Method::POST, "/"));
    assert_eq!(header(&request, "next-action"), Some(REFERENCE));
    assert_eq!(header(&request, "accept"), Some("text/x-component"));
    assert_eq!(header(&request, "content-type"), Some("text/plain;charset=UTF-8"));
    assert_eq!(request.headers.len(), 3);
    assert_eq!(text(&request), r#"["$$5",1.5,true,[],{"a":"$undefined","b":null}]"#);
}

#[test]
fn what_json_cannot_hold_makes_a_form() {
    let arguments = r#"[
        { "$map" = [["n", { "$number" = true }]] }, { "$set" = [{ "$bigint" = "12" }, 2026-01-02 ] },
        { "$date" = "2026-01-01T00:00:00Z" }, { "$file" = { bytes = 300, type = "image/png", name = "{number}.png" } },
        { "$bytes" = 4 }, { "$file" = { bytes = 2 } }, { "$form" = [["a", "{pick}"], ["b", { "$file" = { bytes = 1, name = "b" } }]] },
        { "$pick" = true }, nan ]"#;
    let listener = fine();
    perform(&format!("action = \"echo\"\npicks = 1\narguments = {arguments}"), 2, &listener);
    let request = &listener.requests()[1];
    let expected = [
        ("1", r#"[["n",2]]"#),
        ("2", r#"["$n12","$D2026-01-02T00:00:00.000Z"]"#),
        ("3", "2.png, image/png, 300 B"),
        ("4", "blob, application/octet-stream, 4 B"),
        ("5", "blob, application/octet-stream, 2 B"),
        ("_6_a", "0"),
        ("_6_b", "b, application/octet-stream, 1 B"),
        ("0", r#"["$Q1","$W2","$D2026-01-01T00:00:00.000Z","$B3","$o4","$B5","$K6",0,"$NaN"]"#),
    ];
    assert_eq!(parts(request), pairs(&expected));
}

#[test]
fn a_text_is_sent_as_a_form_where_that_is_asked_for() {
    let listener = fine();
    perform("action = \"echo\"\narguments = [1]\nmultipart = true", 1, &listener);
    assert_eq!(parts(&listener.requests()[0]), pairs(&[("0", "[1]")]));
}

#[test]
fn a_server_of_next_is_told_where_its_router_is() {
    let listener = fine();
    let operations = operations("action = \"echo\"\npath = \"/a\"", target::Kind::Next);
    wait(operations.perform(0, Duration::ZERO, &listener));
    let state = listener.requests()[0].headers["next-router-state-tree"].to_str().unwrap().to_owned();
    assert!(state.starts_with("%5B%22%22%2C%7B%22children%22%3A%5B%22a%22%2C"), "{state}");
}

#[test]
fn calls_for_the_ledger_are_numbered_and_say_about_whom_they_are() {
    let listener = fine();
    let operation = "action = \"ledger\"\narguments = [\"account-{pick}\", { \"$number\" = true }, 5]\npicks = 3\noracle = \"ledger-keyed\"";
    perform(operation, 60, &listener);
    let mut accounts = BTreeSet::new();
    for (number, (asked, request)) in (1..).zip(listener.asked.borrow().iter()) {
        let Subject::Ledger(call) = &asked.subject else { panic!("{asked:?}") };
        assert_eq!((call.number, call.class, call.has_idempotency_key), (number, LedgerClass::Keyed, false));
        assert_eq!(text(request), format!("[\"{}\",{number},5]", call.account));
        accounts.insert(call.account.to_string());
    }
    assert_eq!(accounts, ["account-0", "account-1", "account-2"].map(str::to_owned).into());
}

#[test]
fn a_bump_says_which_tag() {
    let listener = fine();
    perform("action = \"bump\"\narguments = [\"tagged-7\"]\noracle = \"bump\"", 1, &listener);
    assert_eq!(listener.subjects(), [Subject::Bump { tag: "tagged-7".into() }]);
    assert_eq!(text(&listener.requests()[0]), "[\"tagged-7\"]");
}

/// Goal: one call, several times at once, at several servers. Method: none of them ends before all have begun.
#[test]
fn duplicates_have_one_key_that_no_other_call_has() {
    let listener = fine();
    let operation = "action = \"ledger\"\narguments = [\"a\", { \"$number\" = true }, 5]\nduplicates = 3\noracle = \"ledger\"";
    perform(operation, 2, &listener);
    perform(operation, 1, &listener);
    let asked = listener.asked.borrow();
    let keys: Vec<_> = asked.iter().map(|(_, it)| header(it, "idempotency-key").unwrap()).collect();
    assert_eq!(keys.len(), 9);
    assert_eq!(
        keys.iter().collect::<HashSet<_>>().len(),
        3,
        "of two calls of a run, and one of another: {keys:?}"
    );
    for call in asked.chunks(3) {
        let targets: HashSet<_> = call.iter().map(|(asked, _)| asked.target).collect();
        assert_eq!(targets.len(), 3);
        assert!(
            call.iter().all(|(asked, it)| asked.subject == call[0].0.subject && body(it) == body(&call[0].1))
        );
        let Subject::Ledger(LedgerCall { has_idempotency_key: true, .. }) = call[0].0.subject else {
            panic!()
        };
    }
}

#[test]
fn clients_hang_up_and_are_slow_as_they_should() {
    let listener = fine();
    perform("action = \"echo\"\nabort_after = \"20ms\"\nbytes_per_second = 500", 1, &listener);
    let request = &listener.requests()[0];
    assert_eq!(request.abort_after, Some(Duration::from_millis(20)));
    assert!(
        matches!(&request.body, Body::Slow { bytes, bytes_per_second: 500 } if bytes == "[]"),
        "{request:?}"
    );
}

#[test]
fn a_page_is_asked_for_with_the_etag_that_came_last_from_there() {
    let count = Cell::new(0);
    let listener = Listener::new(move |request| {
        count.set(count.get() + 1);
        match (header(request, "if-none-match"), count.get()) {
            (None, number) => answered(200, &[("etag", &format!("\"{number}\""))], ""),
            (Some(_), 8) => answered(200, &[], ""),
            (Some(_), _) => answered(304, &[], ""),
        }
    });
    perform("page = \"/tagged/{pick}\"\npicks = 1\nconditional = true\nshows_counters = true", 12, &listener);
    let requests = listener.requests();
    assert!(requests.iter().all(|it| it.method == Method::GET && it.path == "/tagged/0"));
    assert!(header(&requests[0], "accept").unwrap().starts_with("text/html"));
    let sent: Vec<_> = requests.iter().map(|it| header(it, "if-none-match")).collect();
    let (one, two, three) = (Some("\"1\""), Some("\"2\""), Some("\"3\""));
    // The eighth answer is without one, and the second server is asked again as if for the first time.
    assert_eq!(sent, [None, None, None, one, two, three, one, two, three, one, None, three]);
    assert!(listener.subjects().iter().all(|it| *it == Subject::Page { path: "/tagged/0".into() }));
}

#[test]
fn a_page_that_shows_no_counters_is_only_counted() {
    let listener = fine();
    perform("page = \"/\"", 2, &listener);
    assert_eq!(listener.subjects(), [Subject::Plain, Subject::Plain]);
    assert!(listener.requests().iter().all(|it| header(it, "if-none-match").is_none()));
}

const PAGE: &str = "<form method=post action=/search><input name=q></form>\
    <form method=\"post\" enctype=\"multipart/form-data\"><input type=hidden name=\"$ACTION_REF_1\">\
    <input type=hidden name=\"$CALLBOARD_NONCE\" value=\"a&amp;b\"><input name=name value=old><textarea name=message></textarea>\
    <button>Sign</button></form>";

/// A server with a page that sets cookies.
fn with_form(page: &'static str) -> Listener {
    Listener::new(move |request| {
        if request.method == Method::POST {
            return answered(303, &[("location", "/")], "");
        }
        let mut end = answered(200, &[("set-cookie", "a=1; path=/; HttpOnly")], page);
        if let End::Answered(answer) = &mut end {
            answer.headers.append("set-cookie", "gone=; Max-Age=0".parse().unwrap());
            answer.headers.append("set-cookie", "b=2".parse().unwrap());
        }
        end
    })
}

#[test]
fn a_form_is_filled_in_and_sent_as_often_as_somebody_presses() {
    let listener = with_form(PAGE);
    let fields = "form = \"/book\"\nfields = { name = \"Ada {number}\", message = \"one\\ntwo\" }\nsends = 2";
    let operations = perform(fields, 2, &listener);
    assert_eq!(operations.unasked(), BTreeMap::new());
    let asked = listener.asked.borrow();
    for (number, visit) in (1..).zip(asked.chunks(3)) {
        let [(page, get), sent @ ..] = visit else { panic!() };
        assert!(page.is_preparation && page.subject == Subject::Plain);
        assert_eq!((&get.method, get.path.as_str()), (&Method::GET, "/book"));
        let targets: HashSet<_> = sent.iter().map(|(asked, _)| asked.target).collect();
        assert_eq!(targets.len(), 2);
        for (asked, post) in sent {
            assert_eq!((&asked.subject, asked.is_preparation), (&Subject::Form { number }, false));
            assert_eq!((&post.method, post.path.as_str()), (&Method::POST, "/book"));
            assert_eq!(header(post, "cookie"), Some("a=1; b=2"));
            assert_eq!(header(post, "sec-fetch-site"), Some("same-origin"));
            assert_eq!(header(post, "next-action"), None);
            let name = format!("Ada {number}");
            let expected = [
                ("$ACTION_REF_1", ""),
                ("$CALLBOARD_NONCE", "a&b"),
                ("name", &name),
                ("message", "one\r\ntwo"),
            ];
            assert_eq!(parts(post), pairs(&expected));
        }
    }
    assert_eq!(asked.len(), 6);
}

#[test]
fn a_form_without_parts_is_sent_as_one_text() {
    let listener = with_form(PAGE);
    perform("form = \"/book\"\nfields = { q = \"a b&ü*\" }", 1, &listener);
    let post = &listener.requests()[1];
    assert_eq!(post.path, "/search");
    assert_eq!(header(post, "content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(text(post), "q=a+b%26%C3%BC*");
}

#[test]
fn a_form_that_cannot_be_sent_is_told_with_its_reason() {
    let elsewhere = "<form method=post action=\"https://example.com/\"><input name=name></form>";
    let cases: [(Listener, &str); 4] = [
        (with_form("<p>closed"), "its page has no form that is posted and has all of its fields"),
        (with_form(elsewhere), "its form is sent to `https://example.com/`, which is no path of the target"),
        (Listener::new(|_| answered(503, &[], "")), "its page was answered with 503"),
        (Listener::new(|_| End::TimedOut), "its page did not come"),
    ];
    for (listener, why) in cases {
        let operations = perform("form = \"/\"\nfields = { name = \"Ada\" }", 2, &listener);
        assert_eq!(operations.unasked(), [(format!("`it` was not sent: {why}"), 2)].into());
        assert_eq!(listener.asked.borrow().len(), 2);
    }
}

/// Goal: no server can take one for a call. Method: each lacks the name, or has a body that this protocol refuses; that
/// a node says so is tested with the whole corpus in `tests/client`.
#[test]
fn hostile_requests_are_sent_one_as_often_as_another() {
    let listener = fine();
    perform("hostile = \"echo\"", 1000, &listener);
    let requests = listener.requests();
    assert!(listener.subjects().iter().all(|it| *it == Subject::Hostile));
    let different: HashSet<_> = requests.iter().map(|it| format!("{:?}", (&it.headers, body(it)))).collect();
    let references: HashSet<_> = requests.iter().map(|it| header(it, "next-action")).collect();
    let Ready::Attacks(attacks) = &operations("hostile = \"echo\"", target::Kind::Callboard).ready[0].1
    else {
        panic!()
    };
    assert_eq!(different.len(), attacks.requests().len());
    for reference in [Some(REFERENCE), Some("40aaaa1"), Some("40aaaa"), None] {
        assert!(references.contains(&reference), "{reference:?}");
    }
    assert!(requests.iter().all(|it| body(it).len() < 5000));
}

#[test]
fn all_actions_that_there_are_not_are_said_at_once() {
    let text = "[load]\nrate = 1\n[[operation]]\naction = \"ecko\"\n[[operation]]\nhostile = \"nothing\"\n";
    let scenario = Scenario::parse("test", text).unwrap();
    let new = |references: &[&str]| {
        let references = references.iter().map(|name| ((*name).to_owned(), REFERENCE.to_owned())).collect();
        let catalogue = target::Catalogue { references, kind: target::Kind::Callboard };
        Operations::new(&scenario, &catalogue, 1).err().unwrap().to_string()
    };
    assert_eq!(
        new(&["echo", "add"]),
        "test, operation `ecko`: the target has no action `ecko`; did you mean `echo`?\n\
         test, operation `nothing`: the target has no action `nothing`; there are `add`, `echo`"
    );
    assert!(new(&[]).starts_with("test, operation `ecko`: the target has no action `ecko`, and no other\n"));
}

#[test]
fn operations_are_drawn_by_their_weights_and_picks_by_their_skew() {
    let text = "[load]\nrate = 1\n[[operation]]\npage = \"/{pick}\"\npicks = 11\nskew = 0.9\nweight = 3\n\
                [[operation]]\npage = \"/never\"\nweight = 0\n[[operation]]\npage = \"/b\"\n";
    let scenario = Scenario::parse("test", text).unwrap();
    let operations = Operations::new(&scenario, &target::Catalogue::default(), 1).unwrap();
    let mut drawn = [0_u32; 3];
    for _ in 0..10_000 {
        drawn[operations.draw()] += 1;
    }
    assert!((7_300..7_700).contains(&drawn[0]) && drawn[1] == 0, "{drawn:?}");
    let listener = fine();
    for _ in 0..1000 {
        wait(operations.perform(0, Duration::ZERO, &listener));
    }
    let requests = listener.requests();
    let of = |path: &str| requests.iter().filter(|it| it.path == path).count();
    assert!((860..940).contains(&of("/0")), "{}", of("/0"));
    assert!((1..11).all(|pick| of(&format!("/{pick}")) > 0) && of("/11") == 0);
}

#[test]
fn nobody_is_asked_if_nobody_serves() {
    for operation in [
        "action = \"echo\"",
        "action = \"echo\"\nduplicates = 2",
        "page = \"/\"",
        "form = \"/\"",
        "hostile = \"echo\"",
    ] {
        let listener = Listener { servers: 0, ..fine() };
        let operations = perform(operation, 1, &listener);
        assert_eq!((listener.asked.borrow().len(), operations.unasked().len()), (0, 0), "{operation}");
    }
}
