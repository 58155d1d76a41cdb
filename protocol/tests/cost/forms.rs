//! Forms that name an action.

use callboard_protocol::{
    form_action,
    js::JsString,
    multipart::Part,
    reply::{Limits, Resolution},
};

use crate::{Allowed, Cost, assert_linear};

/// What is bound is decoded, and made of lists of three.
const ALLOWED: Allowed = Allowed { steps_per_byte: 0, peak_per_byte: 64, total_per_byte: 128 };

fn assert_fields_linear(name: &str, fields: impl Fn(usize) -> Vec<Part>) {
    let limits = Limits { parts_max: usize::MAX, ..Limits::default() };
    assert_linear(name, ALLOWED, |n| {
        let parts = fields(n);
        let bytes =
            parts.iter().map(|part| part.name.len() + part.as_text().map_or(0, |text| text.len())).sum();
        Cost::of(bytes, || {
            if let Ok(Some(call)) = form_action::find(&parts, &limits) {
                // Whether it is accepted is not the question here.
                let _ = call.bound(&limits, &|_: &JsString| Resolution::Known);
                let _ = call.form_data();
            }
            0
        })
    });
}

#[test]
fn action_fields_are_read_once_however_many_there_are() {
    let root = r#"{"id":"a","bound":"$@1"}"#;
    assert_fields_linear("fields with bound arguments", |n| {
        let fields = (0..n).map(|at| Part::text(format!("$ACTION_REF_{at}"), ""));
        fields.chain([Part::text("$ACTION_0:0", root), Part::text("$ACTION_0:1", "[1]")]).collect()
    });
    assert_fields_linear("fields without", |n| {
        (0..n).map(|at| Part::text(format!("$ACTION_ID_{at}"), "")).collect()
    });
    assert_fields_linear("parts of one action", |n| {
        let parts = (2..n + 2).map(|at| Part::text(format!("$ACTION_1:{at}"), "[1,2,3]"));
        let bound =
            format!("[{}]", (2..n + 2).map(|at| format!("\"${at:x}\"")).collect::<Vec<_>>().join(","));
        let named = [("$ACTION_REF_1", ""), ("$ACTION_1:0", root), ("$ACTION_1:1", &bound)];
        parts.chain(named.map(|(name, text)| Part::text(name, text))).collect()
    });
    assert_fields_linear("parts of other actions", |n| {
        let parts = (2..n + 2).map(|at| Part::text(format!("$ACTION_{at}:0"), root));
        let named = [("$ACTION_REF_1", ""), ("$ACTION_1:0", root), ("$ACTION_1:1", "[1]")];
        parts.chain(named.map(|(name, text)| Part::text(name, text))).collect()
    });
}
