//! Encoded arguments, as a whole and part by part.

use callboard_protocol::{
    de,
    js::JsString,
    multipart::Part,
    reply::{Body, Encoded, Incoming, Limits, Resolution, decode_counted, decode_parts},
    value::Flow,
};

use crate::{
    Allowed, Cost, assert_linear,
    families::{CONTAINERS, Family, PROMISES, REFERENCES},
    limits::wide_open,
};

/// The worst by far are brackets, each an object with its place on the stack; settings end them at 512 levels and
/// 262 144 objects. All others stay below half of that.
const ALLOWED: Allowed = Allowed { steps_per_byte: 8, peak_per_byte: 240, total_per_byte: 480 };

fn resolve(id: &JsString) -> Resolution {
    match id.as_str() {
        Some(id) if !id.starts_with("unknown") => Resolution::Known,
        _ => Resolution::Unknown,
    }
}

fn bytes(parts: &[Part]) -> usize {
    parts.iter().map(|part| part.name.len() + part.as_text().map_or(0, |text| text.len())).sum()
}

fn whole(body: &Encoded) -> Cost {
    let limits = wide_open();
    match body {
        Encoded::Text(text) => {
            let body = text.clone().into();
            Cost::of(text.len(), move || decode_counted(Body::Text(body), &limits, &resolve).1)
        }
        Encoded::Form(parts) => {
            Cost::of(bytes(parts), || decode_counted(Body::Parts(parts), &limits, &resolve).1)
        }
    }
}

/// Part by part, those after the root in another order if that is asked for; a text is a form of one part.
fn arriving(body: Encoded, order: fn(&mut [Part])) -> Cost {
    let mut parts = match body {
        Encoded::Text(text) => vec![Part::text("0", text)],
        Encoded::Form(parts) => parts,
    };
    let root = parts.iter().position(|part| part.name == "0").expect("there is a root");
    order(&mut parts[root + 1..]);
    Cost::of(bytes(&parts), || {
        let mut incoming = Incoming::new(wide_open(), Flow::default(), Box::new(resolve));
        for part in parts {
            if incoming.push(part).is_err() {
                break;
            }
        }
        // Whether it is accepted is not the question here.
        let _ = incoming.finish();
        incoming.steps()
    })
}

fn assert_all_linear(families: &[Family]) {
    for (name, body) in families {
        assert_linear(name, ALLOWED, |n| whole(&body(n)));
        assert_linear(&format!("{name}, arriving"), ALLOWED, |n| arriving(body(n), |_| ()));
        assert_linear(&format!("{name}, backwards"), ALLOWED, |n| arriving(body(n), <[Part]>::reverse));
    }
}

#[test]
fn nesting_and_references_cost_no_more_than_their_length() {
    assert_all_linear(REFERENCES);
}

#[test]
fn promises_and_server_references_cost_no_more_than_their_length() {
    assert_all_linear(PROMISES);
}

#[test]
fn containers_and_streams_cost_no_more_than_their_length() {
    assert_all_linear(CONTAINERS);
}

/// Goal: what grows faster than the body is refused soon. Method: bodies of a megabyte whose work is only bounded by a
/// setting, under the default settings.
#[test]
fn what_unfolds_is_refused_within_the_default_budget() {
    let keys = "k".repeat(1000);
    let temporary = format!("[{}{}]", format!("{{\"{keys}\":[").repeat(200), "\"$T\",".repeat(100_000));
    let integers = format!("[\"$n{}\"{}]", "9".repeat(300), ",\"$0:0\"".repeat(100_000));
    let limits = Limits::default();
    for body in [temporary, integers] {
        let length = body.len();
        let cost = Cost::of(length, || {
            let (result, steps) = decode_counted(Body::Text(body.into()), &limits, &resolve);
            assert!(result.is_err());
            steps
        });
        assert!(cost.steps <= limits.work_max + length as u64, "{cost:?}");
        assert!(cost.heap.peak_bytes <= 64 * length, "{cost:?}");
    }
}

/// Goal: nothing of a function but its signed text is ever shown. Method: ask for a text where one was sent.
#[test]
fn a_server_reference_is_no_text_to_an_action() {
    let described = Part::text("1", r#"{"id":"a","bound":null}"#);
    let parts = [described, Part::text("0", r#"["$h1"]"#)];
    let arguments = decode_parts(&parts, "", &Limits::default(), &resolve).expect("it is known");
    let read = de::from_value::<(String,)>(&arguments);
    assert!(
        read.is_err_and(|error| error.to_string().ends_with("expected a string, found a server reference"))
    );
}
