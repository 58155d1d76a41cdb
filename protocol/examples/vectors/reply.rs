//! Vectors of kind `reply`: what a client sent, and the value it stands for.

use std::path::Path;

use bytes::Bytes;
use callboard_protocol::{
    Value,
    js::JsString,
    multipart::{self, Part},
    reply::{Limits, ReplyError, ReplyErrorKind, Resolution, decode_parts, decode_text},
};
use data_encoding::BASE64;
use serde_json::Value as Json;

use crate::{
    Verdict,
    tagged::{self, Unreadable},
};

/// Runs the vector of one file.
pub(crate) fn run(_file: &Path, json: &Json) -> Vec<(String, Verdict)> {
    let name = format!("reply/{}", json["name"].as_str().unwrap_or_default());
    let verdict = match json["kind"].as_str() {
        Some("none") => Verdict::Skipped("the client itself refuses to send it".into()),
        _ => verdict(json),
    };
    vec![(name, verdict)]
}

fn verdict(json: &Json) -> Verdict {
    let limits = limits(json);
    let recorded = if hangs(&json["expect"]) { &json["expect_streaming"] } else { &json["expect"] };
    let expected = json.get("expect_sane").unwrap_or(recorded);
    let decoded = match json["kind"].as_str() {
        Some("string") => decode_text(body(json).into(), &limits, &resolve),
        _ => match parts(json) {
            Ok(parts) => decode_parts(&parts, "", &limits, &resolve),
            Err(error) => return Verdict::Failed(error),
        },
    };
    let verdict = compare(decoded, expected);
    match (&verdict, json.get("raw")) {
        (Verdict::Passed, Some(raw)) => {
            let expected = json.get("expect_raw").unwrap_or(expected);
            match raw_parts(raw) {
                Ok(parts) => compare(decode_parts(&parts, "", &limits, &resolve), expected),
                Err(error) => Verdict::Failed(format!("raw: {error}")),
            }
        }
        _ => verdict,
    }
}

/// The manifest that the vectors were made with.
pub(crate) fn resolve(id: &JsString) -> Resolution {
    let text = id.to_text_lossy();
    match text.split_once('#') {
        _ if text.starts_with("unknown") => Resolution::Unknown,
        Some((_, name)) if name != "run" => Resolution::Absent,
        _ => Resolution::Known,
    }
}

/// The parts of a vector, in order.
pub(crate) fn parts(json: &Json) -> Result<Vec<Part>, String> {
    let parts = json["parts"].as_array().ok_or("no parts")?;
    parts.iter().map(part).collect()
}

fn part(json: &Json) -> Result<Part, String> {
    let text = |member: &str| json[member].as_str().unwrap_or_default().to_owned();
    if json.get("base64").is_none() {
        return Ok(Part::text(text("name"), text("value")));
    }
    let bytes = BASE64.decode(text("base64").as_bytes()).map_err(|error| error.to_string())?;
    Ok(Part::file(text("name"), text("filename"), text("declaredType"), bytes))
}

fn raw_parts(raw: &Json) -> Result<Vec<Part>, String> {
    let content_type = raw["contentType"].as_str().unwrap_or_default();
    let boundary = multipart::boundary(content_type).ok_or("no boundary")?;
    let body = BASE64.decode(raw["base64"].as_str().unwrap_or_default().as_bytes());
    let body = Bytes::from(body.map_err(|error| error.to_string())?);
    multipart::collect(body, boundary, multipart::Limits::default()).map_err(|error| error.to_string())
}

/// The body of a vector that is one text.
pub(crate) fn body(json: &Json) -> String {
    if let Some(body) = json["body"].as_str() {
        return body.to_owned();
    }
    let segments = json["segments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let segment = |segment: &Json| {
        let (text, unit) = (segment["text"].as_str(), segment["unit"].as_str());
        let count = segment["count"].as_u64().and_then(|count| usize::try_from(count).ok());
        text.or(unit).unwrap_or_default().repeat(count.unwrap_or(1))
    };
    segments.iter().map(segment).collect()
}

/// The settings that a vector's note names; else the defaults.
fn limits(json: &Json) -> Limits {
    let note = json["note"].as_str().unwrap_or_default();
    let array_size = note.split_once("arraySizeLimit ").and_then(|(_, rest)| {
        rest.split(|char: char| !char.is_ascii_digit()).next().and_then(|digits| digits.parse().ok())
    });
    let default = Limits::default();
    Limits {
        array_slots_max: array_size.unwrap_or(default.array_slots_max),
        // The one vector about a server that takes no temporary references.
        temporary_references: json["name"] != "crafted-temp-without-set",
        ..default
    }
}

/// Whether the reference server's answer leaves something unsettled for ever.
fn hangs(json: &Json) -> bool {
    match json {
        Json::Array(items) => items.iter().any(hangs),
        Json::Object(members) => {
            members.get("status").is_some_and(|status| status == "pending") || members.values().any(hangs)
        }
        _ => false,
    }
}

/// Whether decoding gave what was expected.
pub(crate) fn compare(decoded: Result<Value, ReplyError>, expected: &Json) -> Verdict {
    if let Err(ReplyError { kind: ReplyErrorKind::Unsupported { what }, .. }) = &decoded {
        return Verdict::Skipped(format!("{what} is not supported"));
    }
    if let Some(reason) = expected.get("reject") {
        return match decoded {
            Err(_) => Verdict::Passed,
            Ok(value) => Verdict::Failed(format!("decoded to {value:?}, expected the error {reason}")),
        };
    }
    let expected = match tagged::value(expected) {
        Ok(expected) => expected,
        Err(Unreadable::Unsupported(what)) => return Verdict::Skipped(format!("no value holds {what}")),
        Err(Unreadable::Malformed(what)) => return Verdict::Failed(format!("not tagged JSON: {what}")),
    };
    match decoded {
        Ok(value) if tagged::without_paths(&value) == expected => Verdict::Passed,
        Ok(value) => Verdict::Failed(format!("decoded to {value:?}, expected {expected:?}")),
        Err(error) => Verdict::Failed(error.to_string()),
    }
}
