//! Newtypes for what JavaScript has and JSON lacks: strings with lone surrogates, dates, big integers, maps, sets,
//! typed arrays, undefined, files and form data. Each says in its doc what it looks like on either side.
//!
//! All of them can be written to and read from other formats too, where they look like the nearest thing there is:
//! a date is its ISO text, a big integer its digits, a map an array of pairs, a set an array.

mod big_int;
mod binary;
mod collections;
mod conversions;
mod date;
mod file;
mod form_data;
pub(crate) mod handover;
mod maybe;
mod scalars;
mod string;

#[cfg(test)]
mod tests;

pub use big_int::{BigInt, BigIntError};
pub use binary::ByteArray;
pub use collections::{Map, Set};
pub use conversions::{IntegerRangeError, InvalidDateError};
pub use date::Date;
pub use file::File;
pub use form_data::{FormData, FormEntry};
pub use maybe::{Maybe, Undefined};
pub use string::JsString;

pub use crate::value::{Blob, BlobContent, TypedArray};
