//! Vectors of kind `reply`: what a client sent, and the value it stands for.

use std::path::Path;

use bytes::Bytes;
use callboard_protocol::{
    Value,
    js::JsString,
    multipart::{self, Part},
    reply::{Incoming, Limits, ReplyError, Resolution, decode_parts, decode_text},
    value::Flow,
};
use data_encoding::BASE64;
use serde_json::Value as Json;

use crate::{
    Verdict,
    drained::drained,
    refused,
    tagged::{self, Unreadable},
};

/// Vectors that the reference server answers wrongly without a sane answer beside it: a row is text of its own, and
/// what is spliced into it breaks off the stream.
const INJECTED: &str = "crafted-iterable-json-injection";

/// Where we answer as the streaming server also for a whole body: rows after the end are ignored.
const AFTER_THE_END: &str = "crafted-stream-after-close";

/// Rows under their bare id, as old clients name them; the streaming server takes them for rows, we if told so.
const OLD_ROWS: &str = "crafted-stream-old-naming";

/// Runs the vector of one file.
pub(crate) fn run(_file: &Path, json: &Json) -> Vec<(String, Verdict)> {
    let name = format!("reply/{}", json["name"].as_str().unwrap_or_default());
    if json["kind"] == "none" {
        return vec![(name, refused::verdict(json))];
    }
    let verdict = checks(json).map_or_else(Verdict::Failed, |()| Verdict::Passed);
    vec![(name, verdict)]
}

/// Decodes a vector as a whole and part by part, from its parts and from its bytes.
fn checks(json: &Json) -> Result<(), String> {
    let limits = limits(json);
    let expected = expected(json);
    if json["kind"] == "string" {
        let body = body(json);
        let part = [Part::text("0", body.clone())];
        check("as a text", decode_text(body.into(), &limits, &resolve), &expected.whole)?;
        return check("part by part", stream(&part, limits), &expected.streamed);
    }
    let parts = parts(json)?;
    check("as a whole", decode_parts(&parts, "", &limits, &resolve), &expected.whole)?;
    check("part by part", stream(&parts, limits), &expected.streamed)?;
    if json["name"] == OLD_ROWS {
        let broken_off =
            serde_json::json!([{"t": "stream", "kind": "values", "items": [], "status": "errored"}]);
        let without = Limits { old_clients: false, ..limits };
        check("without old names", decode_parts(&parts, "", &without, &resolve), &broken_off)?;
        check("without old names, part by part", stream(&parts, without), &broken_off)?;
    }
    if let Some(raw) = json.get("raw") {
        let parts = raw_parts(raw).map_err(|error| format!("raw: {error}"))?;
        let raw = json.get("expect_raw");
        let (whole, streamed) = (raw.unwrap_or(&expected.whole), raw.unwrap_or(&expected.streamed));
        check("raw", decode_parts(&parts, "", &limits, &resolve), whole)?;
        check("raw, part by part", stream(&parts, limits), streamed)?;
    }
    Ok(())
}

fn check(how: &str, decoded: Result<Value, ReplyError>, expected: &Json) -> Result<(), String> {
    match compare(decoded, expected) {
        Verdict::Passed => Ok(()),
        Verdict::Failed(why) | Verdict::Skipped(why) => Err(format!("{how}: {why}")),
    }
}

/// The answers that a vector asks for.
struct Expected {
    whole: Json,
    streamed: Json,
}

fn expected(json: &Json) -> Expected {
    if json["name"] == INJECTED {
        let broken_off =
            serde_json::json!([{"t": "async_iterable", "items": [], "status": "errored", "return": null}]);
        return Expected { whole: broken_off.clone(), streamed: broken_off };
    }
    let sane = json.get("expect_sane");
    let streamed = sane.or(json.get("expect_streaming")).unwrap_or(&json["expect"]);
    let hangs = hangs(&json["expect"]);
    let whole =
        if hangs || json["name"] == AFTER_THE_END { streamed } else { sane.unwrap_or(&json["expect"]) };
    Expected { whole: whole.clone(), streamed: streamed.clone() }
}

/// Decodes part by part, and takes what came out of promises and streams.
pub(crate) fn stream(parts: &[Part], limits: Limits) -> Result<Value, ReplyError> {
    let mut incoming = Incoming::new(limits, Flow::default(), Box::new(resolve));
    for part in parts {
        incoming.push(part.clone())?;
    }
    let root = incoming.finish()?;
    Ok(drained(&root).expect("at the end of the body everything is settled"))
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
        old_clients: json["old_clients"] == true || json["name"] == OLD_ROWS,
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
        Ok(value) if tagged::plain(&value) == expected => Verdict::Passed,
        Ok(value) => Verdict::Failed(format!("decoded to {value:?}, expected {expected:?}")),
        Err(error) => Verdict::Failed(error.to_string()),
    }
}
