//! What says that two calls are one: the header, and the nonce of forms that Rust printed.

use callboard::{ActionContext, Html, PageContext, PageError, action, js::FormData, page};

use crate::{
    arriving::Wire,
    client::{Answer, Caller},
};

const KEY: &str = "idempotency-key";
const NONCE: &str = "$CALLBOARD_NONCE";

/// The names of the fields that it sees.
#[action(public, name = "field_names")]
async fn field_names(_cx: &ActionContext, form: FormData) -> Vec<String> {
    form.iter().map(|(name, _)| name.to_string()).collect()
}

#[page("/names")]
async fn names_page(cx: &PageContext) -> Result<Html, PageError> {
    let names: Vec<String> = cx.form_state(field_names).unwrap_or_default();
    let (form, render) = (cx.form(field_names)?, cx.render_id());
    Ok(Html::raw(format!("<p>{}</p><i>{render}</i><form>{form}</form>", Html::escape(&names.join(" ")))))
}

#[page("/names/of-one")]
async fn names_of_one(cx: &PageContext) -> Result<Html, PageError> {
    let _private = cx.cookie("name");
    Ok([cx.form(field_names)?, cx.form(field_names)?].into_iter().collect())
}

fn nonces(answer: &Answer) -> Vec<String> {
    let fields = answer.hidden_fields().into_iter();
    fields.filter(|(name, _)| name == NONCE).map(|(_, value)| value).collect()
}

/// The one nonce of a page with one form.
fn nonce(answer: &Answer) -> String {
    let mut nonces = nonces(answer);
    assert_eq!(nonces.len(), 1, "{}", answer.body);
    nonces.remove(0)
}

/// A call and a form, with these values of the header.
fn with_keys(caller: &Caller, keys: &[&[u8]]) -> [Answer; 2] {
    let call = caller.http.post(caller.url("/")).header("next-action", caller.reference("text_length"));
    let form = caller.http.post(caller.url("/nowhere"));
    let marker = format!("$ACTION_ID_{}", caller.reference("note_length"));
    let requests = [
        call.header("content-type", "text/plain").body(r#"["four"]"#),
        form.form(&[(&*marker, ""), ("text", "four")]),
    ];
    requests.map(|request| {
        let value = |key: &[u8]| reqwest::header::HeaderValue::from_bytes(key).expect("HTTP may carry it");
        Answer::of(keys.iter().fold(request, |request, key| request.header(KEY, value(key))).send())
    })
}

#[test]
fn a_key_is_one_to_255_visible_characters() {
    let caller = Caller::start(&[]);
    let longest = [b'x'; 255];
    for key in [&b"k"[..], b"8e03978e-40d5-43dd-bc93-6894a57f9324", b"\"quoted\"", b"!~", &longest] {
        let [call, form] = with_keys(&caller, &[key]);
        assert_eq!((call.status, call.row()), (200, "4"));
        assert_eq!((form.status, form.header("callboard-outcome")), (200, "done"));
        assert_eq!((call.header("callboard-replayed"), form.header("callboard-replayed")), ("", ""));
    }
}

#[test]
fn what_is_no_key_is_refused_and_nothing_ran() {
    let caller = Caller::start(&[]);
    let (too_long, ten_kib) = ([b'x'; 256], [b'x'; 10 << 10]);
    let length = "is longer than 255 characters";
    let characters = "has characters other than visible ASCII";
    for (keys, what) in [
        (&[&b""[..]][..], "is empty"),
        (&[b"  "], "is empty"),
        (&[&too_long], length),
        (&[&ten_kib], length),
        (&[b"two words"], characters),
        (&[b"tab\tulator"], characters),
        (&["clé".as_bytes()], characters),
        (&[b"\xff"], characters),
        (&[b"one", b"two"], "is there more than once"),
        (&[b"one", b"one"], "is there more than once"),
    ] {
        for answer in with_keys(&caller, keys) {
            assert_eq!((answer.status, answer.header("callboard-error")), (400, "bad-idempotency-key"));
            assert_eq!(answer.header("callboard-outcome"), "not-run");
            assert!(answer.body.contains(&format!("the header {KEY} {what}")), "{}", answer.body);
        }
    }
    // Not even HTTP.
    let mut wire = Wire::connect(&caller);
    wire.write(format!("POST / HTTP/1.1\r\nhost: it\r\n{KEY}: a\0b\r\ncontent-length: 0\r\n\r\n").as_bytes());
    assert!(wire.read_until("\r\n").starts_with("HTTP/1.1 400"));
    assert_eq!(caller.call("text_length", r#"["next"]"#).row(), "4");
}

#[test]
fn what_is_no_key_is_refused_before_the_body_is_read() {
    let caller = Caller::start(&[]);
    for head in [
        format!("next-action: {}\r\ncontent-type: text/plain", caller.reference("text_length")),
        "content-type: multipart/form-data; boundary=none".to_owned(),
    ] {
        let mut wire = Wire::connect(&caller);
        wire.write(
            format!("POST / HTTP/1.1\r\nhost: it\r\n{KEY}: a b\r\n{head}\r\ncontent-length: 9\r\n\r\n")
                .as_bytes(),
        );
        assert!(wire.read_until("\r\n\r\n").contains("callboard-error: bad-idempotency-key"));
    }
}

#[test]
fn whoever_sends_a_key_has_his_body_read_before_his_action_starts() {
    let caller = Caller::start(&[]);
    let mut wire = Wire::open_with(&caller, "note_items", &format!("{KEY}: one\r\n"));
    wire.part("0", r#"["$R1"]"#);
    // Meanwhile its arguments are there: without a key it reads them by now.
    caller.call("add_numbers", "[1,2]");
    wire.part("S1", r#""first""#);
    wire.part("S1", "C");
    wire.end();
    wire.read_until("\"1 items, closed\"");
    assert_eq!(caller.journal.notes(), ["adding", "reading", "first", "closed"]);
}

#[test]
fn each_response_of_a_page_has_a_nonce_of_its_own_and_no_etag() {
    let caller = Caller::start(&[]);
    let (first, second) = (caller.get("/names"), caller.get("/names"));
    assert_eq!(first.header("cache-status"), "callboard; fwd=miss");
    assert_eq!(second.header("cache-status"), "callboard; hit");
    let (one, other) = (nonce(&first), nonce(&second));
    assert_ne!(one, other);
    // Nothing else is another, and not even the length.
    assert_eq!(first.body.replace(&one, &other), second.body);
    for answer in [&first, &second] {
        assert_eq!((answer.header("etag"), answer.header("cache-control")), ("", "private, no-cache"));
    }
    let ask = |etag: &str| caller.http.get(caller.url("/names")).header("if-none-match", etag).send();
    assert_eq!(Answer::of(ask("*")).status, 200);
    let head = Answer::of(caller.http.head(caller.url("/names")).send());
    assert_eq!(head.header("content-length"), first.body.len().to_string());
    // A page without a form is as it was.
    assert_ne!(caller.get("/news").header("etag"), "");
}

#[test]
fn a_page_that_is_kept_nowhere_has_nonces_too() {
    let caller = Caller::start(&[]);
    let (first, second) = (caller.get("/names/of-one"), caller.get("/names/of-one"));
    assert_eq!(first.header("cache-control"), "private, no-store");
    let (first, second) = (nonces(&first), nonces(&second));
    // Both of its forms have the one of the response.
    assert_eq!((first.len(), &first[0]), (2, &first[1]));
    assert_ne!(first[0], second[0]);
}

#[test]
fn the_action_does_not_see_the_nonce_and_the_next_page_has_another() {
    let caller = Caller::start(&[]);
    let page = caller.get("/names");
    let mut fields = page.hidden_fields();
    fields.push(("typed".into(), "x".into()));
    let multipart = caller.submit("/names", &fields, None);
    let url_encoded = Answer::of(caller.http.post(caller.url("/names")).form(&fields).send());
    for answer in [multipart, url_encoded] {
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("<p>typed</p>"), "{}", answer.body);
        assert_ne!(nonce(&answer), nonce(&page));
    }
    // A form of the application's own making needs none.
    fields.retain(|(name, _)| name != NONCE);
    assert!(caller.submit("/names", &fields, None).body.contains("<p>typed</p>"));
}

#[test]
fn a_nonce_that_no_page_of_ours_had_is_refused() {
    let (caller, stranger) = (Caller::start(&[]), Caller::start(&[]));
    let page = caller.get("/names");
    let ours = nonce(&page);
    let last = if ours.ends_with('A') { "E" } else { "A" };
    let altered = format!("{}{last}", &ours[..ours.len() - 1]);
    let longer = format!("{ours}{ours}");
    for forged in ["", "x", &ours[1..], &altered, &longer, &nonce(&stranger.get("/names"))] {
        let mut fields = page.hidden_fields();
        fields.iter_mut().filter(|(name, _)| name == NONCE).for_each(|(_, value)| forged.clone_into(value));
        let refused = caller.submit("/names", &fields, None);
        assert_eq!((refused.status, refused.header("callboard-error")), (400, "bad-seal"), "{forged}");
        assert_eq!(refused.header("callboard-outcome"), "not-run");
    }
}
