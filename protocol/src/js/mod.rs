//! Newtypes for what JavaScript has and JSON lacks: strings with lone surrogates, dates, big integers, maps, sets,
//! typed arrays, undefined, files and form data, promises and streams. Each says in its doc what it looks like on either side.
//!
//! What takes its time has types here too: [`Promise`], [`Stream`], [`ByteStream`] and [`AsyncIterable`] are arguments
//! that are still arriving, and the last three and [`Later`] results that are still being made.
//!
//! All of them can be written to and read from other formats too, where they look like the nearest thing there is:
//! a date is its ISO text, a big integer its digits, a map an array of pairs, a set an array. (What takes its time has no form there, and is an error.)

mod big_int;
mod binary;
mod byte_stream;
mod collections;
mod conversions;
mod date;
mod file;
mod form_data;
pub(crate) mod handover;
mod later;
mod maybe;
mod promise;
mod reader;
mod scalars;
mod stream;
mod string;

#[cfg(test)]
mod tests;

pub use big_int::{BigInt, BigIntError};
pub use binary::ByteArray;
pub use byte_stream::ByteStream;
pub use collections::{Map, Set};
pub use conversions::{IntegerRangeError, InvalidDateError};
pub use date::Date;
pub use file::File;
pub use form_data::{FormData, FormEntry};
pub use later::Later;
pub use maybe::{Maybe, Undefined};
pub use promise::{Promise, PromiseError};
pub use reader::StreamError;
pub use stream::{AsyncIterable, Stream};
pub use string::JsString;

pub use crate::value::{Blob, BlobContent, TypedArray};
