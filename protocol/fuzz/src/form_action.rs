//! The fields of a form that say which action it calls.

use callboard_protocol::{form_action, reply::Limits};

use super::{checks, parts};

/// Finds the action, and only then decodes what is bound to it.
pub fn run(bytes: &[u8]) {
    let limits = Limits::default();
    let parts = parts::read(bytes);
    let call = match form_action::find(&parts, &limits) {
        Ok(Some(call)) => call,
        Ok(None) => return,
        Err(error) => return checks::short(&error),
    };
    let names = |start: &str| parts.iter().filter(|part| part.name.starts_with(start)).count();
    assert!(names("$ACTION_REF_") <= 2);
    assert!(call.reference().len() <= 4096 || names("$ACTION_ID_") > 0);

    let fields = call.form_data();
    let entries = fields.graph().nodes().find_map(|node| match node {
        callboard_protocol::value::Node::FormData(entries) => Some(entries.len()),
        _ => None,
    });
    let nonces = parts.iter().filter(|part| part.name == form_action::NONCE_FIELD).count();
    let expected = parts.len() - names("$ACTION_") - nonces;
    assert_eq!(entries, Some(expected), "the action sees all fields but React's own and the nonce");
    assert_eq!(call.nonce().is_some(), nonces > 0);

    match call.bound(&limits, &checks::resolve) {
        Err(error) => checks::short(&error),
        Ok(bound) => {
            let count = bound.as_array().map(<[_]>::len).expect("bound arguments are an array");
            assert!(count <= limits.bound_arguments_max);
            if let Some(state) = call.form_state(count) {
                assert_eq!(Some(&*state.key), call.key());
                assert_eq!(state.bound + 1, count);
            }
            checks::decoded(&Ok(bound), &limits, checks::bytes(&parts));
        }
    }
}
