//! Vectors of kind `next`: tables made with functions of Next itself, one verdict for each case.

use std::path::Path;

use aes_gcm::{
    AeadInOut, AesGcm, KeyInit,
    aes::{Aes256, cipher::consts::U16},
};
use callboard_protocol::{
    action_id::InfoByte,
    origin::{AllowedOrigins, host_of_origin},
    reference::ActionReference,
};
use data_encoding::{BASE64, HEXLOWER};
use serde_json::Value as Json;

use crate::Verdict;

/// Why a case did not come out as in Next.
type Outcome = Result<(), String>;

/// Runs the tables of one file.
pub(crate) fn run(file: &Path, json: &Json) -> Vec<(String, Verdict)> {
    let table = file.file_stem().unwrap_or_default().to_string_lossy();
    let check: fn(&Json) -> Outcome = match &*table {
        "action-id" => info_byte,
        "bound-encryption" => bound_encryption,
        "csrf-allowed-origins" => allowed_origins,
        "origin-host" => origin_host,
        _ => return vec![(table.into_owned(), Verdict::Skipped("no such table is known".into()))],
    };
    let mut verdicts = verdicts(&format!("next/{table}"), json, "cases", check);
    verdicts.extend(self::verdicts(&format!("next/{table}/might_be_id"), json, "might_be_id", might_be_id));
    verdicts
}

fn verdicts(name: &str, json: &Json, member: &str, check: fn(&Json) -> Outcome) -> Vec<(String, Verdict)> {
    let cases = json[member].as_array().map_or(&[][..], Vec::as_slice);
    let verdict = |case| check(case).map_or_else(Verdict::Failed, |()| Verdict::Passed);
    cases.iter().enumerate().map(|(place, case)| (format!("{name}#{place}"), verdict(case))).collect()
}

fn text<'a>(case: &'a Json, member: &str) -> Result<&'a str, String> {
    case[member].as_str().ok_or_else(|| format!("the case has no text {member}"))
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, ours: &T, nexts: &T) -> Outcome {
    if ours == nexts { Ok(()) } else { Err(format!("{what}: {ours:?}, and {nexts:?} in Next")) }
}

/// The info byte names an action or a cached function, and says which of eight arguments a client sends.
fn info_byte(case: &Json) -> Outcome {
    let byte = u8::from_str_radix(text(case, "id")?.get(..2).unwrap_or_default(), 16)
        .map_err(|error| error.to_string())?;
    let parsed = InfoByte::from_byte(byte);
    same("names an action", &parsed.is_ok(), &(text(case, "type")? == "server-action"))?;

    // A cached function's arguments are marked alike.
    let info = parsed.or_else(|_| InfoByte::from_byte(byte & 0x7f)).map_err(|error| error.to_string())?;
    let used: Vec<Json> = (0..6).map(|index| Json::from(info.uses(index))).collect();
    same("used arguments", &Json::from(used), &case["used_args"])?;
    same("rest arguments", &Json::from(info.uses(6)), &case["has_rest_args"])?;

    let sent_length = (0..8).rev().find(|index| info.uses(*index)).map_or(0, |last| last + 1);
    let sent: Vec<Json> = (0..sent_length)
        .map(|index| if info.uses(index) { Json::from(format!("a{index}")) } else { Json::Null })
        .collect();
    same("arguments sent", &Json::from(sent), &case["args_sent_of_8"])?;
    same("number of arguments sent", &Json::from(sent_length), &case["sent_length"])
}

/// Whatever Next's server lets through as one of its own ids is no reference here, because it carries no signature.
fn might_be_id(case: &Json) -> Outcome {
    let id = text(case, "id")?;
    match ActionReference::parse(id) {
        Err(_) => Ok(()),
        Ok(_) => Err(format!("{id} was taken for a reference")),
    }
}

/// Next's sealed arguments are read, and written again to the same text.
fn bound_encryption(case: &Json) -> Outcome {
    let key = BASE64.decode(text(case, "key_base64")?.as_bytes()).map_err(|error| error.to_string())?;
    // Next's nonces have 16 bytes, not AES-GCM's usual 12.
    let cipher = AesGcm::<Aes256, U16>::new_from_slice(&key).map_err(|error| error.to_string())?;
    let bound = BASE64.decode(text(case, "bound_string")?.as_bytes()).map_err(|error| error.to_string())?;
    let (nonce, mut message) = match bound.split_first_chunk::<16>() {
        Some((nonce, message)) => (aes_gcm::Nonce::from(*nonce), message.to_vec()),
        None => return Err("the bound string is shorter than its nonce".into()),
    };
    same("nonce", &HEXLOWER.encode(&nonce).as_str(), &text(case, "iv_hex")?)?;

    cipher.decrypt_in_place(&nonce, b"", &mut message).map_err(|_| "the tag is wrong".to_owned())?;
    let expected = [text(case, "action_id")?, text(case, "flight_text")?].concat();
    same("plaintext", &String::from_utf8_lossy(&message).as_ref(), &expected.as_str())?;

    cipher.encrypt_in_place(&nonce, b"", &mut message).map_err(|error| error.to_string())?;
    let written = BASE64.encode(&[nonce.as_slice(), message.as_slice()].concat());
    same("bound string", &written.as_str(), &text(case, "bound_string")?)
}

/// Patterns that Next ignores are refused when they are read, which allows no origin either.
fn allowed_origins(case: &Json) -> Outcome {
    let patterns = case["allowed_origins"].as_array().ok_or("the case has no patterns")?;
    let allowed = AllowedOrigins::parse(patterns.iter().filter_map(Json::as_str));
    let host = text(case, "origin_host")?;
    let origin = if host == "null" { host.to_owned() } else { format!("http://{host}") };
    let ours = match (allowed, host_of_origin(&origin)) {
        (Ok(allowed), Ok(host)) => allowed.contains(&host),
        _ => false,
    };
    same("allowed", &Json::from(ours), &case["allowed"])
}

fn origin_host(case: &Json) -> Outcome {
    let host = host_of_origin(text(case, "origin")?).map_err(|error| error.to_string())?;
    same("host", &host.to_string().as_str(), &text(case, "host")?)
}
