//! Strict JSON, token by token.
//!
//! Written here because of what the usual parsers refuse or lose: escaped lone surrogates, which JavaScript's
//! strings may hold; strings as slices of the body; nesting without recursion.

use std::ops::BitOr;

use bytestring::ByteString;

use crate::js::JsString;

/// As many digits as a double holds exactly, whichever they are.
const EXACT_DIGITS: usize = 15;

/// Reads tokens of one text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lexer {
    text: ByteString,
    at: usize,
}

/// A value that is not an array or object, or the opening of one.
#[derive(Debug)]
pub(crate) enum Token {
    Null,
    Bool(bool),
    Number(f64),
    /// The second is whether its content had to be copied, because of escapes.
    String(JsString, bool),
    OpenArray,
    OpenObject,
}

/// What was expected instead.
pub(crate) type Expected = &'static str;

impl Lexer {
    pub(crate) fn new(text: ByteString) -> Self {
        Self { text, at: 0 }
    }

    /// Bytes read.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    /// The next byte after blanks.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Takes this byte if it is next after blanks.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Takes the byte that was seen with [`Self::peek`].
    pub(crate) fn skip(&mut self) {
        self.at += 1;
    }

    #[inline]
    pub(crate) fn token(&mut self) -> Result<Token, Expected> {
        Ok(match self.peek() {
            Some(b'"') => {
                let (text, copied) = self.string()?;
                Token::String(text, copied)
            }
            Some(b'[') => {
                self.at += 1;
                Token::OpenArray
            }
            Some(b'{') => {
                self.at += 1;
                Token::OpenObject
            }
            Some(b'-' | b'0'..=b'9') => Token::Number(self.number()?),
            Some(b't') => self.word("true", Token::Bool(true))?,
            Some(b'f') => self.word("false", Token::Bool(false))?,
            Some(b'n') => self.word("null", Token::Null)?,
            _ => return Err("a value"),
        })
    }

    fn word(&mut self, word: &'static str, token: Token) -> Result<Token, Expected> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(token)
        } else {
            Err(word)
        }
    }

    fn digits(&mut self) -> Result<usize, Expected> {
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        self.at += count;
        if count == 0 { Err("a digit") } else { Ok(count) }
    }

    fn number(&mut self) -> Result<f64, Expected> {
        let rest = &self.text.as_bytes()[self.at..];
        let (mut sum, mut count) = (0_u64, 0);
        while let Some(digit @ b'0'..=b'9') = rest.get(count)
            && count < EXACT_DIGITS
        {
            sum = sum * 10 + u64::from(digit - b'0');
            count += 1;
        }
        let goes_on = matches!(rest.get(count), Some(b'0'..=b'9' | b'.' | b'e' | b'E'));
        if count == 0 || goes_on || (rest[0] == b'0' && count > 1) {
            return self.any_number();
        }
        self.at += count;
        Ok(sum as f64)
    }

    /// A number in any notation.
    fn any_number(&mut self) -> Result<f64, Expected> {
        let start = self.at;
        self.at += usize::from(self.next_is(|byte| byte == b'-'));
        let leading_zero = self.next_is(|byte| byte == b'0');
        let count = self.digits()?;
        if leading_zero && count > 1 {
            return Err("no digit after a leading zero");
        }
        if self.next_is(|byte| byte == b'.') {
            self.at += 1;
            self.digits()?;
        }
        if self.next_is(|byte| matches!(byte, b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(self.next_is(|byte| matches!(byte, b'+' | b'-')));
            self.digits()?;
        }
        self.text[start..self.at].parse().map_err(|_| "a number")
    }

    fn next_is(&self, test: impl Fn(u8) -> bool) -> bool {
        self.text.as_bytes().get(self.at).is_some_and(|&byte| test(byte))
    }

    /// A string: its content, and whether that had to be copied because of escapes.
    pub(crate) fn string(&mut self) -> Result<(JsString, bool), Expected> {
        if !self.take(b'"') {
            return Err("a string");
        }
        let start = self.at;
        let length = self.plain_run()?;
        self.at += length;
        if self.text.as_bytes()[self.at] == b'"' {
            let text = self.text.slice_ref(&self.text[start..self.at]);
            self.at += 1;
            return Ok((text.into(), false));
        }
        self.string_with_escapes(start).map(|text| (text, true))
    }

    /// How many bytes there are before the next quote or backslash.
    fn plain_run(&self) -> Result<usize, Expected> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = memchr::memchr2(b'"', b'\\', rest).ok_or("the string's end")?;
        // A plain loop over a known length: the compiler turns it into vector code.
        if rest[..length].iter().map(|&byte| u8::from(byte < 0x20)).fold(0, BitOr::bitor) != 0 {
            return Err("no control character in a string");
        }
        Ok(length)
    }

    #[cold]
    fn string_with_escapes(&mut self, start: usize) -> Result<JsString, Expected> {
        let mut content = Content { text: self.text[start..self.at].to_owned(), units: Vec::new() };
        loop {
            let byte = self.text.as_bytes()[self.at];
            self.at += 1;
            if byte == b'"' {
                return Ok(content.finish());
            }
            self.escape(&mut content)?;
            let length = self.plain_run()?;
            content.push_str(&self.text[self.at..self.at + length]);
            self.at += length;
        }
    }

    /// What follows a backslash.
    fn escape(&mut self, content: &mut Content) -> Result<(), Expected> {
        let byte = self.text.as_bytes().get(self.at).copied();
        self.at += 1;
        content.push(match byte {
            Some(plain @ (b'"' | b'\\' | b'/')) => char::from(plain),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{C}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.unit()?;
                return self.surrogates(first, content);
            }
            _ => return Err("an escape"),
        });
        Ok(())
    }

    /// Puts two halves together where they follow each other.
    fn surrogates(&mut self, mut unit: u16, content: &mut Content) -> Result<(), Expected> {
        while (0xD800..0xDC00).contains(&unit) && self.text.as_bytes()[self.at..].starts_with(b"\\u") {
            self.at += 2;
            let second = self.unit()?;
            if (0xDC00..0xE000).contains(&second) {
                let point = 0x1_0000 + ((u32::from(unit) - 0xD800) << 10) + (u32::from(second) - 0xDC00);
                content.push(char::from_u32(point).expect("two halves make a character"));
                return Ok(());
            }
            content.push_unit(unit);
            unit = second;
        }
        content.push_unit(unit);
        Ok(())
    }

    fn unit(&mut self) -> Result<u16, Expected> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or("four hex digits")?;
        let mut unit = 0;
        for &digit in digits {
            let digit = char::from(digit).to_digit(16).ok_or("four hex digits")?;
            unit = unit << 4 | digit as u16;
        }
        self.at += 4;
        Ok(unit)
    }
}

/// A string in the making: text until the first lone surrogate, UTF-16 units from then on.
struct Content {
    text: String,
    units: Vec<u16>,
}

impl Content {
    fn push(&mut self, char: char) {
        self.push_str(char.encode_utf8(&mut [0; 4]));
    }

    fn push_str(&mut self, text: &str) {
        if self.units.is_empty() {
            self.text.push_str(text);
        } else {
            self.units.extend(text.encode_utf16());
        }
    }

    fn push_unit(&mut self, unit: u16) {
        if let Some(char) = char::from_u32(u32::from(unit)) {
            return self.push(char);
        }
        if self.units.is_empty() {
            self.units.extend(std::mem::take(&mut self.text).encode_utf16());
        }
        self.units.push(unit);
    }

    fn finish(self) -> JsString {
        if self.units.is_empty() { self.text.into() } else { JsString::from_units(&self.units) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Result<Token, Expected> {
        Lexer::new(text.into()).token()
    }

    #[test]
    fn escapes_are_decoded_and_lone_surrogates_kept() {
        let cases: [(&str, &[u16]); 6] = [
            (r#""a\"\\\/\b\f\n\r\tz""#, &[97, 34, 92, 47, 8, 12, 10, 13, 9, 122]),
            (r#""\ud83d\ude00""#, &[0xD83D, 0xDE00]),
            (r#""é\ud800x""#, &[0xE9, 0xD800, 0x78]),
            (r#""\ud800\ud83d\ude00""#, &[0xD800, 0xD83D, 0xDE00]),
            (r#""\ud800A""#, &[0xD800, 0x41]),
            (r#""\ude00\ud83d""#, &[0xDE00, 0xD83D]),
        ];
        for (text, units) in cases {
            let Ok(Token::String(string, true)) = token(text) else { panic!("{text}") };
            assert_eq!(string, JsString::from_units(units), "{text}");
        }
    }

    #[test]
    fn a_string_without_escapes_is_a_slice_of_the_text() {
        let text = ByteString::from("\"plain\"");
        let Ok(Token::String(string, false)) = Lexer::new(text.clone()).token() else { panic!() };
        assert!(text.as_bytes().as_ptr_range().contains(&string.as_str().unwrap().as_ptr()));
    }

    #[test]
    fn numbers_are_doubles() {
        let cases = [
            ("0", 0.0),
            ("-0", -0.0),
            ("12", 12.0),
            ("-1.5e+2", -150.0),
            ("999999999999999", 999_999_999_999_999.0),
            ("123456789012345678901234567890", 1.234_567_890_123_456_8e29),
            ("1e400", f64::INFINITY),
            ("5e-324", 5e-324),
        ];
        for (text, number) in cases {
            let Ok(Token::Number(found)) = token(text) else { panic!("{text}") };
            assert_eq!(found.to_bits(), f64::to_bits(number), "{text}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            "+1",
            "-",
            ".5",
            "1.",
            "01",
            "-01",
            "1e",
            "1e+",
            "tru",
            "nul",
            "'a'",
            "\"",
            "\"a",
            "\"\\",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\u+123\"",
            "\"\n\"",
            "\"a\u{1}\"",
            "NaN",
            "undefined",
            "\u{FEFF}1",
        ] {
            assert!(token(text).is_err(), "{text:?}");
        }
    }
}
