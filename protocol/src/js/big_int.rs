//! JavaScript big integers.

use std::fmt;

/// A JavaScript `BigInt`: an integer of any size, kept as its decimal digits.
///
/// Invariant: `-?(0|[1-9][0-9]*)`, never `-0`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BigInt(Box<str>);

/// Why a text is not a big integer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an integer in JavaScript's notation")]
pub struct BigIntError;

impl BigInt {
    /// Parses decimal digits with an optional minus sign.
    ///
    /// # Errors
    ///
    /// [`BigIntError`] on anything else.
    pub fn from_decimal(text: &str) -> Result<Self, BigIntError> {
        let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BigIntError);
        }
        let digits = digits.trim_start_matches('0');
        Ok(Self(if digits.is_empty() { "0".into() } else { format!("{sign}{digits}").into() }))
    }

    /// The decimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number, if it fits.
    #[must_use]
    pub fn to_i128(&self) -> Option<i128> {
        self.0.parse().ok()
    }
}

impl From<i128> for BigInt {
    fn from(number: i128) -> Self {
        Self(number.to_string().into())
    }
}

impl fmt::Display for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
