//! Newtypes for what JavaScript has and JSON lacks: strings with lone surrogates, dates, big integers, maps, sets,
//! typed arrays, undefined, files and form data. Each says in its doc what it looks like on either side.

mod big_int;
mod collections;
mod date;
mod files;
pub(crate) mod handover;
mod leaf;
mod string;

pub use big_int::{BigInt, BigIntError};
pub use collections::{Map, Maybe, Set};
pub use date::Date;
pub use files::{File, FormData, FormEntry};
pub use leaf::{ByteArray, InvalidDate, Undefined};
pub use string::JsString;

pub use crate::value::TypedArray;
