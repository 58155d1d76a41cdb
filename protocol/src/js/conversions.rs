//! Big integers to and from Rust's integers, dates to and from the system's time.

use std::time::{Duration, SystemTime};

use super::{BigInt, Date};

/// A big integer does not fit into a Rust integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("out of the range of {type_name}")]
pub struct IntegerRangeError {
    /// The Rust integer's type.
    pub type_name: &'static str,
}

/// An invalid date, or one that this system's clock cannot show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no time of this system's clock")]
pub struct InvalidDateError;

macro_rules! from_integers {
    ($($type:ident)*) => {
        $(impl From<$type> for BigInt {
            fn from(number: $type) -> Self {
                Self::from_decimal(&number.to_string()).expect("an integer is written in decimal digits")
            }
        })*
    };
}

macro_rules! to_integers {
    ($($type:ident)*) => {
        $(impl TryFrom<&BigInt> for $type {
            type Error = IntegerRangeError;

            fn try_from(integer: &BigInt) -> Result<Self, IntegerRangeError> {
                integer.as_str().parse().map_err(|_| IntegerRangeError { type_name: stringify!($type) })
            }
        }

        impl TryFrom<BigInt> for $type {
            type Error = IntegerRangeError;

            fn try_from(integer: BigInt) -> Result<Self, IntegerRangeError> {
                Self::try_from(&integer)
            }
        })*
    };
}

// `i128` has its own, beside the type.
from_integers!(i8 i16 i32 i64 isize u8 u16 u32 u64 u128 usize);
to_integers!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

/// Cut to whole milliseconds, towards the past.
impl From<SystemTime> for Date {
    fn from(time: SystemTime) -> Self {
        Self::from_millis(match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => after.as_millis() as f64,
            Err(before) => -(before.duration().as_nanos().div_ceil(1_000_000) as f64),
        })
    }
}

impl TryFrom<Date> for SystemTime {
    type Error = InvalidDateError;

    fn try_from(date: Date) -> Result<Self, InvalidDateError> {
        let millis = date.millis().ok_or(InvalidDateError)?;
        #[expect(clippy::cast_sign_loss, reason = "an absolute value of at most 8.64e15")]
        let distance = Duration::from_millis(millis.abs() as u64);
        let time = if millis < 0.0 {
            Self::UNIX_EPOCH.checked_sub(distance)
        } else {
            Self::UNIX_EPOCH.checked_add(distance)
        };
        time.ok_or(InvalidDateError)
    }
}
