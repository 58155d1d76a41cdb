//! Newtypes for what JavaScript has and JSON lacks: strings with lone surrogates, dates, big integers, maps, sets,
//! typed arrays, undefined, files and form data. Each says in its doc what it looks like on either side.

mod big_int;
mod date;
pub(crate) mod handover;
mod string;

pub use big_int::{BigInt, BigIntError};
pub use date::Date;
pub use string::JsString;
