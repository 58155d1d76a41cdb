//! Vectors of kind `action`: what a browser without JavaScript sends for a form, and the call it is.

use std::path::Path;

use callboard_protocol::{
    form_action::{self, FormActionError, FormState},
    reply::{Limits, Resolution},
};
use serde_json::Value as Json;

use crate::{
    Verdict,
    reply::{compare, parts, resolve},
    tagged,
};

/// Runs the vector of one file.
pub(crate) fn run(_file: &Path, json: &Json) -> Vec<(String, Verdict)> {
    let name = format!("action/{}", json["name"].as_str().unwrap_or_default());
    let verdict = verdict(json).unwrap_or_else(Verdict::Failed);
    vec![(name, verdict)]
}

fn verdict(json: &Json) -> Result<Verdict, String> {
    let parts = parts(json)?;
    let (limits, expected) = (Limits::default(), &json["expect_action"]);
    let rejected = |error: FormActionError| match expected.get("reject") {
        Some(_) => Ok(Verdict::Passed),
        None => Err(error.to_string()),
    };
    let call = match form_action::find(&parts, &limits) {
        Ok(Some(call)) => call,
        Ok(None) if expected.is_null() => return Ok(Verdict::Passed),
        Ok(None) => return Err("no action was found".into()),
        Err(error) => return rejected(error),
    };
    if resolve(&call.reference().into()) != Resolution::Known && expected.get("reject").is_some() {
        return Ok(Verdict::Passed);
    }
    let bound = match call.bound(&limits, &resolve) {
        Ok(bound) => bound,
        Err(error) => return rejected(error),
    };
    if tagged::string(&expected["id"]).ok().as_ref().and_then(|id| id.as_str()) != Some(call.reference()) {
        return Err(format!("found the action {:?}", call.reference()));
    }
    let state = call.form_state(bound.as_array().map_or(0, <[_]>::len));
    if state != form_state(&json["expect_form_state"]) {
        return Err(format!("found the form state {state:?}"));
    }
    Ok(match compare(Ok(bound), &expected["bound"]) {
        Verdict::Passed => compare(Ok(call.form_data()), &expected["formData"]),
        other => other,
    })
}

fn form_state(json: &Json) -> Option<FormState> {
    let bound = json.get(3)?.as_u64()?;
    Some(FormState {
        key: json[1].as_str()?.to_owned(),
        reference: json[2].as_str()?.to_owned(),
        bound: usize::try_from(bound).ok()?,
    })
}
