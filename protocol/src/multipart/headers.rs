//! The header block of a part, and the boundary of a content type.

use bytestring::ByteString;

use super::PartStart;

/// More headers than any client writes on a part.
const HEADERS_MAX: usize = 16;

/// The boundary that a `content-type` value of `multipart/form-data` names.
#[must_use]
pub fn boundary(content_type: &str) -> Option<&str> {
    let (media_type, parameters) = content_type.split_once(';')?;
    if !media_type.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters, "boundary")?;
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

/// The value of a parameter of a header: `; name=token` or `; name="text"`. Backslashes are plain characters, as
/// browsers write them.
fn parameter<'a>(mut rest: &'a str, name: &str) -> Option<&'a str> {
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        let (found, after) = rest.split_once('=')?;
        let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
            quoted.split_once('"')?
        } else {
            let (token, after) = after.split_at(after.find(';').unwrap_or(after.len()));
            (token.trim(), after)
        };
        if found.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = after;
    }
}

/// Reads a header block that ends in an empty line.
pub(super) fn parse(block: &[u8]) -> Result<PartStart, &'static str> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let Ok(httparse::Status::Complete((_, headers))) = httparse::parse_headers(block, &mut headers) else {
        return Err("malformed headers");
    };
    let (mut disposition, mut content_type) = (None, None);
    for header in headers {
        if header.name.eq_ignore_ascii_case("content-disposition") {
            let value = std::str::from_utf8(header.value).map_err(|_| "a name that is not UTF-8")?;
            if disposition.replace(value).is_some() {
                return Err("two content-disposition headers");
            }
        } else if header.name.eq_ignore_ascii_case("content-type") {
            content_type =
                Some(std::str::from_utf8(header.value).map_err(|_| "a content type that is not UTF-8")?);
        } else if header.name.eq_ignore_ascii_case("content-transfer-encoding")
            && ![&b"7bit"[..], b"8bit", b"binary"]
                .iter()
                .any(|plain| header.value.eq_ignore_ascii_case(plain))
        {
            return Err("a content-transfer-encoding, which browsers never use");
        }
    }
    let (kind, parameters) =
        disposition.and_then(|value| value.split_once(';')).ok_or("no content-disposition with a name")?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err("a content-disposition other than form-data");
    }
    Ok(PartStart {
        name: unescape(parameter(parameters, "name").ok_or("no content-disposition with a name")?),
        file_name: parameter(parameters, "filename").map(unescape),
        content_type: content_type.map(ByteString::from),
    })
}

/// Undoes what browsers do to names: `"`, CR and LF, and nothing else, are written as percent and two digits.
fn unescape(name: &str) -> ByteString {
    if !name.contains('%') {
        return name.into();
    }
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('%') {
        plain.push_str(&rest[..at]);
        let (char, length) = match rest.as_bytes().get(at + 1..at + 3) {
            Some(b"22") => ('"', 3),
            Some(b"0D" | b"0d") => ('\r', 3),
            Some(b"0A" | b"0a") => ('\n', 3),
            _ => ('%', 1),
        };
        plain.push(char);
        rest = &rest[at + length..];
    }
    plain.push_str(rest);
    plain.into()
}
