//! serde's words in ours: a caller who writes JavaScript has not heard of `u8`, maps and units.

use std::borrow::Cow;

use serde::de::{Expected, Unexpected};

/// How much of the call one error repeats: names in its path, and the value that is wrong.
pub(super) const REPEATED_BYTES_MAX: usize = 64;
/// How much of one name or value is repeated.
pub(super) const EXCERPT_BYTES_MAX: usize = 32;
/// How much of a text has to be at hand to show its beginning, and that it goes on.
pub(super) const SHOWN_BYTES: usize = EXCERPT_BYTES_MAX + char::MAX.len_utf8();

/// How much of a message is kept that a type's own `Deserialize` made, perhaps from what the client sent.
const MESSAGE_BYTES_MAX: usize = 256;

/// What a visitor takes.
pub(super) fn expected(expected: &dyn Expected) -> String {
    let theirs = expected.to_string();
    let ours = match &*theirs {
        "f32" | "f64" => "a number".into(),
        "string" | "a borrowed string" | "field identifier" | "variant identifier" => "a string".into(),
        "a character" => "a string of one character".into(),
        "unit" => "null or undefined".into(),
        "option" => "a value or null".into(),
        "a map" | "struct variant" => "an object".into(),
        "a sequence" | "tuple variant" => "an array".into(),
        "byte array" | "a borrowed byte array" => "binary data".into(),
        "newtype variant" => "an object with one member".into(),
        "unit variant" => "only the variant's name".into(),
        other => compound(other).unwrap_or(Cow::Borrowed(other)),
    };
    ours.into_owned()
}

/// What takes more than one word, such as `struct Entry with 2 elements`.
fn compound(theirs: &str) -> Option<Cow<'static, str>> {
    if let Some(integer) = integer(theirs) {
        return Some(integer.into());
    }
    if let Some(rest) = theirs.strip_prefix("a nonzero ") {
        return integer(rest).map(|integer| format!("{integer}, other than 0").into());
    }
    let items = theirs
        .strip_prefix("a tuple of size ")
        .or_else(|| theirs.strip_prefix("an array of length "))
        .or_else(|| {
            theirs.rsplit_once(" with ").and_then(|(_, items)| items.split_once(" element")).map(|s| s.0)
        });
    if let Some(items) = items {
        return Some(format!("an array of {items} item{}", if items == "1" { "" } else { "s" }).into());
    }
    let kinds = [
        ("tuple struct ", "an array"),
        ("tuple variant ", "an array"),
        ("unit struct ", "null or undefined"),
        ("struct ", "an object"),
        ("enum ", "a string, or an object with one member"),
    ];
    kinds.iter().find(|(prefix, _)| theirs.starts_with(prefix)).map(|(_, ours)| Cow::Borrowed(*ours))
}

/// The range of an integer type.
fn integer(name: &str) -> Option<String> {
    macro_rules! ranges {
        ($($type:ident)*) => {
            match name {
                $(stringify!($type) => Some(format!("an integer from {} to {}", $type::MIN, $type::MAX)),)*
                _ => None,
            }
        };
    }
    ranges!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize)
}

/// What there is, of another kind than expected: a number by its value, which tells more than `a number`.
pub(super) fn found_kind(unexpected: Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(_) => "a boolean".to_owned(),
        Unexpected::Str(_) | Unexpected::Char(_) => "a string".to_owned(),
        Unexpected::Bytes(_) => "binary data".to_owned(),
        Unexpected::Unit => "null".to_owned(),
        Unexpected::Option => "a value or null".to_owned(),
        Unexpected::NewtypeStruct => "a wrapped value".to_owned(),
        Unexpected::Seq => "an array".to_owned(),
        Unexpected::Map => "an object".to_owned(),
        Unexpected::Enum => "a variant".to_owned(),
        Unexpected::UnitVariant => "only the variant's name".to_owned(),
        Unexpected::NewtypeVariant | Unexpected::TupleVariant | Unexpected::StructVariant => {
            "a variant with contents".to_owned()
        }
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) | Unexpected::Other(_) => {
            found_value(unexpected)
        }
    }
}

/// What there is, of the right kind but not a value that is taken.
pub(super) fn found_value(unexpected: Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(truth) => truth.to_string(),
        Unexpected::Unsigned(number) => number.to_string(),
        Unexpected::Signed(number) => number.to_string(),
        Unexpected::Float(number) => ryu_js::Buffer::new().format(number).to_owned(),
        Unexpected::Char(char) => quote(char.encode_utf8(&mut [0; 4])),
        Unexpected::Str(text) => quote(text),
        Unexpected::Other(text) => cut(text).into_owned(),
        other => found_kind(other),
    }
}

/// The start of a text from the client.
pub(super) fn cut(text: &str) -> Cow<'_, str> {
    cut_at(text, EXCERPT_BYTES_MAX)
}

/// The start of a message.
pub(super) fn cut_message(text: &str) -> String {
    cut_at(text, MESSAGE_BYTES_MAX).into_owned()
}

fn cut_at(text: &str, bytes_max: usize) -> Cow<'_, str> {
    match text.floor_char_boundary(bytes_max) {
        all if all == text.len() => text.into(),
        end => format!("{}…", &text[..end]).into(),
    }
}

/// The start of a text from the client, in quotes.
pub(super) fn quote(text: &str) -> String {
    format!("{:?}", cut(text))
}

/// `one of "a", "b"`.
pub(super) fn one_of(known: &[&str]) -> String {
    match known {
        [] => "nothing".to_owned(),
        [only] => format!("{only:?}"),
        _ => {
            let known: Vec<_> = known.iter().map(|name| format!("{name:?}")).collect();
            format!("one of {}", known.join(", "))
        }
    }
}
