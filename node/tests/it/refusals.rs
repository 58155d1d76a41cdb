//! What is refused, to the letter: status, text and headers, and that the next call is answered as if nothing was.

use callboard::{ActionContext, Form, action};
use callboard_protocol::{
    KeyRing,
    action_id::{ActionId, InfoByte},
    reference::ActionReference,
};
use serde::Deserialize;

use crate::client::{Answer, Caller};

/// A key ring, so that a test can sign what the node did not.
const KEYS: &str = "7:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
const BOUNDARY: &str = "refused";
const MULTIPART: (&str, &str) = ("content-type", "multipart/form-data; boundary=refused");
const URL_ENCODED: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const TEXT: (&str, &str) = ("content-type", "text/plain;charset=UTF-8");

#[derive(Deserialize)]
struct Note {
    text: String,
}

#[action(public, name = "note_length")]
async fn note_length(_cx: &ActionContext, note: Form<Note>) -> usize {
    note.text.len()
}

#[action(public, name = "text_length")]
async fn text_length(_cx: &ActionContext, text: String) -> usize {
    text.len()
}

#[action(public, name = "text_length_small", body_bytes_max = 1024)]
async fn text_length_small(_cx: &ActionContext, text: String) -> usize {
    text.len()
}

#[action(public, name = "text_length_large", body_bytes_max = 4096)]
async fn text_length_large(_cx: &ActionContext, text: String) -> usize {
    text.len()
}

/// A refusal as the error table and its page promise it.
struct Expected<'a> {
    status: u16,
    code: &'a str,
    sentence: &'a str,
}

fn expected<'a>(status: u16, code: &'a str, sentence: &'a str) -> Expected<'a> {
    Expected { status, code, sentence }
}

/// The headers of a refusal, whoever asked.
fn check_headers(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.header("callboard-error")), (status, code), "{}", answer.body);
    assert_eq!(answer.header("callboard-outcome"), "not-run", "{code}");
    assert_eq!(answer.header("cache-control"), "no-store", "{code}");
    let names_no_action =
        ["not-an-action", "malformed-reference", "bad-signature", "unknown-action"].contains(&code);
    let not_found = if names_no_action { "1" } else { "" };
    assert_eq!(answer.header("x-nextjs-action-not-found"), not_found, "{code}");
}

/// A browser gets a page that holds the sentence.
fn check_page(caller: &Caller, answer: &Answer, Expected { status, code, sentence }: &Expected) {
    check_headers(answer, *status, code);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{code}");
    assert!(answer.body.contains(&format!("<p>{sentence}</p>")), "{}", answer.body);
    check_next_call(caller);
}

/// React's client gets the sentence alone, as the one type whose text it shows.
fn check_text(caller: &Caller, answer: &Answer, Expected { status, code, sentence }: &Expected) {
    check_headers(answer, *status, code);
    assert_eq!((answer.header("content-type"), answer.body.as_str()), ("text/plain", *sentence), "{code}");
    check_next_call(caller);
}

fn check_next_call(caller: &Caller) {
    assert_eq!(caller.call("text_length", r#"["next"]"#).row(), "4");
    let fields = [(format!("$ACTION_ID_{}", caller.reference("note_length")), String::new())];
    let form = [&fields[..], &[("text".to_owned(), "next".to_owned())]].concat();
    assert_eq!(caller.submit("/nowhere", &form, None).status, 200);
}

fn start(settings: &[(&str, &str)]) -> Caller {
    Caller::start(&[&[("keys", KEYS)], settings].concat())
}

/// A form whose only field names this reference.
fn with_reference(caller: &Caller, reference: &str) -> Answer {
    caller.submit("/nowhere", &[(format!("$ACTION_ID_{reference}"), String::new())], None)
}

/// A form that names its action as React does where values are bound, with these values.
fn with_bound(caller: &Caller, bound: &str) -> Answer {
    let reference = caller.reference("note_length");
    let fields = [
        ("$ACTION_REF_1", String::new()),
        ("$ACTION_1:0", format!(r#"{{"id":"{reference}","bound":"$@1"}}"#)),
        ("$ACTION_1:1", bound.to_owned()),
    ];
    caller.submit("/nowhere", &fields.map(|(name, value)| (name.to_owned(), value)), None)
}

/// A part of a multipart body, without the boundary that ends it.
fn part(name: &str, value: &[u8]) -> Vec<u8> {
    let head = format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
    [head.as_bytes(), value, b"\r\n"].concat()
}

fn closed(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), format!("--{BOUNDARY}--\r\n").into_bytes()].concat()
}

fn fetch(caller: &Caller, action: &str, content_type: (&str, &str), body: Vec<u8>) -> Answer {
    caller.post("/", &[("next-action", caller.reference(action)), content_type], body)
}

/// JSON arguments of exactly this many bytes: one text.
fn arguments_of(bytes: usize) -> Vec<u8> {
    format!("[\"{}\"]", "x".repeat(bytes - 4)).into_bytes()
}

#[test]
fn a_form_with_a_malformed_reference_is_refused() {
    let caller = start(&[]);
    let ours = caller.reference("note_length").to_owned();
    let first_letter = ours.find(|char: char| char.is_ascii_alphabetic()).expect("a letter in 76 hex digits");
    let upper_case = format!("the reference has an upper-case digit at {first_letter}");
    for (reference, sentence) in [
        ("", "the reference has 0 characters, not 76"),
        ("nonsense", "the reference has 8 characters, not 76"),
        (&ours[..75], "the reference has 75 characters, not 76"),
        // As long as those of a stock Next.js server.
        (&ours[..42], "the reference has 42 characters, not 76"),
        (&format!("{ours}0"), "the reference has 77 characters, not 76"),
        (&format!("{}g", &ours[..75]), "the reference has a character that is not a hex digit at 75"),
        (&ours.to_uppercase(), &upper_case),
    ] {
        let answer = with_reference(&caller, reference);
        check_page(&caller, &answer, &expected(400, "malformed-reference", sentence));
    }
}

#[test]
fn a_form_with_a_reference_that_was_altered_is_refused() {
    let caller = start(&[]);
    let ours = caller.reference("note_length");
    let other_digit = |digit: u8| if digit == b'0' { '1' } else { '0' };
    // In the location, in the signature's first byte and in its last.
    for at in [2, 44, 75] {
        let altered = format!("{}{}{}", &ours[..at], other_digit(ours.as_bytes()[at]), &ours[at + 1..]);
        let answer = with_reference(&caller, &altered);
        let sentence = "the reference was not signed with key 7 of this ring";
        check_page(&caller, &answer, &expected(400, "bad-signature", sentence));
    }
    let other_key = format!("{}09{}", &ours[..42], &ours[44..]);
    let sentence = "the reference was not signed with key 9 of this ring";
    check_page(&caller, &with_reference(&caller, &other_key), &expected(400, "bad-signature", sentence));
}

/// Goal: a genuine reference to what is gone means another build, not forgery. Method: sign one with the node's key.
#[test]
fn a_form_of_another_build_is_told_to_reload() {
    let caller = start(&[]);
    let ring = KeyRing::parse(KEYS).expect("a ring");
    let gone = ActionReference::sign(&ring, ActionId::derive(b"it", "gone", InfoByte::ALL)).to_string();
    let sentence = "this page is of another build of the application; reload it";
    check_page(&caller, &with_reference(&caller, &gone), &expected(409, "unknown-action", sentence));
}

#[test]
fn a_form_with_more_action_fields_than_a_browser_sends_is_refused() {
    let caller = start(&[]);
    let reference = caller.reference("note_length");
    let fields = (1..=3).flat_map(|n| {
        [
            (format!("$ACTION_REF_{n}"), String::new()),
            (format!("$ACTION_{n}:0"), format!(r#"{{"id":"{reference}","bound":null}}"#)),
        ]
    });
    let fields: Vec<_> = fields.chain([("text".to_owned(), "ab".to_owned())]).collect();
    // Two are what a form and its button send.
    assert_eq!(caller.submit("/nowhere", &fields[2..], None).status, 200);
    let answer = caller.submit("/nowhere", &fields, None);
    let sentence = "the form has more than 2 fields named $ACTION_REF_…";
    check_page(&caller, &answer, &expected(400, "malformed-reference", sentence));
}

#[test]
fn a_form_beyond_a_limit_is_refused() {
    let caller = start(&[("decode_parts_max", "4")]);
    let zeros = |count: usize| format!("[{}]", vec!["0"; count].join(","));
    let fields: Vec<_> = (0..5).map(|n| (format!("field-{n}"), "x".to_owned())).collect();
    let url_encoded = "a=1&a=2&a=3&a=4&a=5".as_bytes().to_vec();
    for answer in [
        with_bound(&caller, &zeros(1001)),
        caller.submit("/nowhere", &fields, None),
        caller.post("/nowhere", &[URL_ENCODED], url_encoded),
    ] {
        check_headers(&answer, 400, "reply-limit");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        check_next_call(&caller);
    }
    // As many as allowed are not refused for their number: the first two names no action, the third takes one value.
    assert_eq!(caller.submit("/nowhere", &fields[..4], None).header("callboard-error"), "not-an-action");
    let url_encoded = caller.post("/nowhere", &[URL_ENCODED], "a=1&a=2&a=3&a=4");
    assert_eq!(url_encoded.header("callboard-error"), "not-an-action");
    assert_eq!(with_bound(&caller, &zeros(1000)).header("callboard-error"), "argument-mismatch");
}

/// docs/errors/reply-limit.md: the text names the setting and its value.
#[test]
fn too_many_bound_arguments_are_refused_by_the_name_of_the_setting() {
    let caller = start(&[("decode_bound_arguments_max", "2")]);
    let text = with_bound(&caller, "[1,2,3]").body;
    assert!(text.contains("more than decode_bound_arguments_max = 2"), "{text}");
}

/// docs/errors/reply-limit.md: the text names the setting and its value.
#[test]
fn too_many_url_encoded_fields_are_refused_by_the_name_of_the_setting() {
    let caller = start(&[("decode_parts_max", "2")]);
    let text = caller.post("/nowhere", &[URL_ENCODED], "a=1&a=2&a=3").body;
    assert!(text.contains("more than decode_parts_max = 2"), "{text}");
}

/// docs/errors/reply-limit.md: the text names the setting and its value.
#[test]
fn too_many_parts_are_refused_by_the_name_of_the_setting() {
    let caller = start(&[("decode_parts_max", "2")]);
    let parts = vec![part("0", b"[]"); 3];
    let text = fetch(&caller, "text_length", MULTIPART, closed(&parts)).body;
    assert!(text.contains("more than decode_parts_max = 2"), "{text}");
}

/// Goal: a form is refused for its action's limit as soon as its action is known, and at once if no action takes so much.
#[test]
fn a_form_that_is_too_large_is_refused() {
    let caller = start(&[("body_bytes_max", "2048")]);
    let field = part(&format!("$ACTION_ID_{}", caller.reference("note_length")), b"");
    for (bytes, sentence) in [
        (2048, "the body is larger than 2048 bytes"),
        (100_000, "the body is larger than 2048 bytes"),
        (3_000_000, "the body is larger than 3000000 bytes"),
    ] {
        let body = closed(&[field.clone(), part("text", &vec![b'x'; bytes])]);
        let answer = caller.post("/nowhere", &[MULTIPART], body);
        check_page(&caller, &answer, &expected(413, "body-too-large", sentence));
    }
}

#[test]
fn a_form_that_ends_early_is_refused() {
    let caller = start(&[]);
    let field = part(&format!("$ACTION_ID_{}", caller.reference("note_length")), b"");
    let whole = closed(&[field.clone(), part("text", b"ab")]);
    assert_eq!(caller.post("/nowhere", &[MULTIPART], whole.clone()).status, 200);
    for (bytes, sentence) in [
        (0, "multipart body ended within part 0"),
        (field.len() - 2, "multipart body ended within part 1"),
        (field.len() + 40, "multipart body ended within part 2"),
        (whole.len() - 4, "multipart body ended within part 2"),
    ] {
        let answer = caller.post("/nowhere", &[MULTIPART], whole[..bytes].to_vec());
        check_page(&caller, &answer, &expected(400, "body-incomplete", sentence));
    }
}

#[test]
fn a_form_from_nowhere_known_is_refused() {
    let caller = start(&[]);
    for origin in ["nonsense", "http://", "https://a b"] {
        let answer = caller.post("/nowhere", &[URL_ENCODED, ("origin", origin)], "a=1");
        let sentence = "the Origin header is not a URL";
        check_page(&caller, &answer, &expected(400, "malformed-origin", sentence));
    }
}

#[test]
fn a_form_that_its_guard_refuses_leads_to_the_sign_in_page() {
    let caller = start(&[]);
    let answer = with_reference(&caller, caller.reference("whoami"));
    check_headers(&answer, 303, "unauthorized");
    assert_eq!((answer.header("location"), answer.body.as_str()), ("/sign-in", ""));
    check_next_call(&caller);
}

#[test]
fn a_call_whose_text_part_is_no_text_is_refused() {
    let caller = start(&[]);
    let answer = fetch(&caller, "text_length", MULTIPART, closed(&[part("0", b"[\"\xff\"]")]));
    let sentence = "multipart body, part 1: the field \"0\" is not UTF-8";
    check_text(&caller, &answer, &expected(400, "malformed-multipart", sentence));
}

#[test]
fn a_call_with_a_part_of_over_long_headers_is_refused() {
    let caller = start(&[]);
    let long_name = "n".repeat(16_384);
    let parts = [part("0", br#"["ab"]"#), part(&long_name, b"")];
    let answer = fetch(&caller, "text_length", MULTIPART, closed(&parts));
    let sentence = "multipart body, part 2: more than 16384 bytes of headers";
    check_text(&caller, &answer, &expected(400, "reply-limit", sentence));
}

#[test]
fn an_actions_own_body_limit_goes_before_the_setting() {
    let caller = start(&[("body_bytes_max", "2048")]);
    for (action, bytes_max) in
        [("text_length_small", 1024), ("text_length", 2048), ("text_length_large", 4096)]
    {
        let taken = fetch(&caller, action, TEXT, arguments_of(bytes_max));
        assert_eq!((taken.status, taken.row()), (200, (bytes_max - 4).to_string().as_str()));

        let sentence = format!("the body is larger than {bytes_max} bytes");
        let refused = fetch(&caller, action, TEXT, arguments_of(bytes_max + 1));
        check_text(&caller, &refused, &expected(413, "body-too-large", &sentence));

        // Without a length that gives it away: a body of unknown size is sent in chunks.
        let unannounced = reqwest::blocking::Body::new(std::io::Cursor::new(arguments_of(bytes_max + 1)));
        let headers = [("next-action", caller.reference(action)), TEXT];
        let refused = caller.post("/", &headers, unannounced);
        check_text(&caller, &refused, &expected(413, "body-too-large", &sentence));
    }
}
