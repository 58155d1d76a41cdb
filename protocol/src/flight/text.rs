//! The pieces of JSON text that rows are made of.

use std::io::Write as _;

use crate::js::JsString;

/// The largest integer that a JavaScript number holds without loss: 2^53 - 1.
pub(super) const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

/// Writes a string value; one that begins with `$` gets a second one, so that it is not read as a tag.
pub(super) fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if text.starts_with('$') {
        out.push(b'$');
    }
    push_escaped(out, text.as_bytes());
    out.push(b'"');
}

/// Writes an object key, or any other string in which `$` has no meaning.
pub(crate) fn push_plain_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text.as_bytes());
    out.push(b'"');
}

/// Writes a JavaScript string as a value; a lone surrogate becomes an escape.
pub(super) fn push_js_string(out: &mut Vec<u8>, string: &JsString) {
    if let Some(text) = string.as_str() {
        return push_string(out, text);
    }
    let is_tag = string.units().next() == Some(u16::from(b'$'));
    push_tagged(out, if is_tag { "$" } else { "" }, string);
}

/// Writes a JavaScript string as an object key.
pub(super) fn push_js_key(out: &mut Vec<u8>, string: &JsString) {
    push_tagged(out, "", string);
}

/// Writes a string after a tag such as `$S`, both between quotes.
pub(super) fn push_tagged(out: &mut Vec<u8>, tag: &str, string: &JsString) {
    out.push(b'"');
    out.extend_from_slice(tag.as_bytes());
    push_units(out, string);
    out.push(b'"');
}

fn push_units(out: &mut Vec<u8>, string: &JsString) {
    if let Some(text) = string.as_str() {
        return push_escaped(out, text.as_bytes());
    }
    for unit in char::decode_utf16(string.units()) {
        match unit {
            Ok(char) => push_escaped(out, char.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => push_unicode_escape(out, lone.unpaired_surrogate()),
        }
    }
}

/// Writes UTF-8 text without its quotes, escaping what JSON must have escaped.
fn push_escaped(out: &mut Vec<u8>, mut text: &[u8]) {
    while let Some(position) = next_escaped(text) {
        out.extend_from_slice(&text[..position]);
        match text[position] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => push_unicode_escape(out, u16::from(control)),
        }
        text = &text[position + 1..];
    }
    out.extend_from_slice(text);
}

fn push_unicode_escape(out: &mut Vec<u8>, unit: u16) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(HEX[usize::from(unit >> shift & 0xF)]);
    }
}

fn must_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Position of the first byte that must be escaped. Eight bytes at a time: nearly all text has none.
fn next_escaped(text: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    // The high bit of each byte of `word` that is less than `bound`; exact up to the first such byte.
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word & HIGHS;

    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quotes = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslashes = below(word ^ (ONES * u64::from(b'\\')), 1);
        let found = below(word, 0x20) | quotes | backslashes;
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let start = text.len() - rest.len();
    rest.iter().position(|byte| must_escape(*byte)).map(|position| start + position)
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Writes a row id or a length.
pub(super) fn push_hex(out: &mut Vec<u8>, number: u32) {
    let digits = (32 - number.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(HEX[(number >> (digit * 4) & 0xF) as usize]);
    }
}

/// Writes a number as `JSON.stringify` does, and the four that it cannot write as tags.
pub(super) fn push_number(out: &mut Vec<u8>, number: f64) {
    let integer = number as i64;
    if (integer as f64).to_bits() == number.to_bits() && integer.unsigned_abs() <= SAFE_INTEGER_MAX {
        return push_integer(out, integer);
    }
    match special(number) {
        Some(tag) => out.extend_from_slice(tag),
        None => out.extend_from_slice(ryu_js::Buffer::new().format_finite(number).as_bytes()),
    }
}

/// As [`push_number`], with the few digits that tell two `f32` apart.
pub(super) fn push_short_number(out: &mut Vec<u8>, number: f32) {
    match special(f64::from(number)) {
        Some(tag) => out.extend_from_slice(tag),
        None => out.extend_from_slice(ryu_js::Buffer::new().format_finite(number).as_bytes()),
    }
}

fn special(number: f64) -> Option<&'static [u8]> {
    if number.is_nan() {
        Some(b"\"$NaN\"")
    } else if number.is_infinite() {
        Some(if number > 0.0 { b"\"$Infinity\"" } else { b"\"$-Infinity\"" })
    } else if number == 0.0 && number.is_sign_negative() {
        Some(b"\"$-0\"")
    } else {
        None
    }
}

/// Writes the decimal digits of an integer.
pub(super) fn push_integer(out: &mut Vec<u8>, integer: i64) {
    if integer < 0 {
        out.push(b'-');
    }
    push_digits(out, integer.unsigned_abs());
}

/// Writes decimal digits.
pub(super) fn push_digits(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Writes anything that prints itself in ASCII without quotes or backslashes.
pub(super) fn push_display(out: &mut Vec<u8>, number: impl std::fmt::Display) {
    write!(out, "{number}").expect("a vector takes every write");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn text_is_escaped_as_json(text in "(?s).*") {
            let json = written(|out| push_plain_string(out, &text));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            prop_assert!(!json.contains('\n'));
        }

        #[test]
        fn integers_print_as_rust_prints_them(integer: i64) {
            prop_assert_eq!(written(|out| push_integer(out, integer)), integer.to_string());
        }

        #[test]
        fn ids_print_as_lower_case_hex(id: u32) {
            prop_assert_eq!(written(|out| push_hex(out, id)), format!("{id:x}"));
        }
    }

    #[test]
    fn every_single_byte_that_needs_an_escape_is_found_at_every_position() {
        for byte in 0..=0x7F_u8 {
            for position in 0..20 {
                let mut text = [b'a'; 20];
                text[position] = byte;
                assert_eq!(
                    next_escaped(&text),
                    must_escape(byte).then_some(position),
                    "{byte} at {position}"
                );
            }
        }
    }

    #[test]
    fn numbers_print_as_javascript_prints_them() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "\"$-0\""),
            (1.0, "1"),
            (-42.5, "-42.5"),
            (1e21, "1e+21"),
            (1e-7, "1e-7"),
            (9_007_199_254_740_991.0, "9007199254740991"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (1_152_921_504_606_846_976.0, "1152921504606847000"),
            (f64::NAN, "\"$NaN\""),
            (f64::INFINITY, "\"$Infinity\""),
            (f64::NEG_INFINITY, "\"$-Infinity\""),
        ] {
            assert_eq!(written(|out| push_number(out, number)), text);
        }
        assert_eq!(written(|out| push_short_number(out, 0.1)), "0.1");
    }

    #[test]
    fn a_dollar_is_doubled_in_values_and_not_in_keys() {
        assert_eq!(written(|out| push_string(out, "$1")), "\"$$1\"");
        assert_eq!(written(|out| push_plain_string(out, "$1")), "\"$1\"");
        let lone = JsString::from_units(&[0x24, 0xD800]);
        assert_eq!(written(|out| push_js_string(out, &lone)), "\"$$\\ud800\"");
        assert_eq!(written(|out| push_js_key(out, &lone)), "\"$\\ud800\"");
    }
}
