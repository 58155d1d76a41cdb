//! JavaScript big integers.

use std::fmt::{self, Write as _};

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

    /// Parses as JavaScript's `BigInt(text)` does: decimal digits with an optional sign, or `0x`, `0o`, `0b` and
    /// digits without one; blanks around are ignored, and nothing at all is 0.
    ///
    /// Takes time in the square of the length: the caller limits it.
    ///
    /// # Errors
    ///
    /// [`BigIntError`] on anything else.
    pub fn parse(text: &str) -> Result<Self, BigIntError> {
        let text = text.trim_matches(is_blank);
        let radix = match text.get(..2) {
            Some("0x" | "0X") => 16,
            Some("0o" | "0O") => 8,
            Some("0b" | "0B") => 2,
            _ if text.is_empty() => return Ok(Self("0".into())),
            _ => {
                return Self::from_decimal(
                    text.strip_prefix('+').filter(|rest| !rest.starts_with('-')).unwrap_or(text),
                );
            }
        };
        let digits: Option<Vec<u32>> = text[2..].chars().map(|digit| digit.to_digit(radix)).collect();
        match digits {
            Some(digits) if !digits.is_empty() => Ok(Self(to_decimal(&digits, radix).into())),
            _ => Err(BigIntError),
        }
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

/// What JavaScript calls white space or a line end.
fn is_blank(char: char) -> bool {
    matches!(char, '\u{FEFF}') || (char.is_whitespace() && char != '\u{85}')
}

/// Converts by short multiplication, nine decimal digits at a time.
fn to_decimal(digits: &[u32], radix: u32) -> String {
    const BASE: u64 = 1_000_000_000;
    let mut limbs: Vec<u64> = vec![0];
    for &digit in digits {
        let mut carry = u64::from(digit);
        for limb in &mut limbs {
            let sum = *limb * u64::from(radix) + carry;
            *limb = sum % BASE;
            carry = sum / BASE;
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let mut text = String::new();
    for (place, limb) in limbs.iter().rev().enumerate() {
        let width = if place == 0 { 0 } else { 9 };
        write!(text, "{limb:0width$}").expect("a string takes all that is written");
    }
    text
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_grammar_is_that_of_javascript() {
        let cases = [
            ("", "0"),
            ("  \n\u{FEFF}\u{A0}", "0"),
            (" 7 ", "7"),
            ("-5", "-5"),
            ("+5", "5"),
            ("-0", "0"),
            ("007", "7"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("0b101", "5"),
            ("0xffffffffffffffffffffffff", "79228162514264337593543950335"),
            ("0x3b9aca00", "1000000000"),
        ];
        for (text, decimal) in cases {
            assert_eq!(BigInt::parse(text).unwrap().as_str(), decimal, "{text:?}");
        }
        for text in ["1.5", "1n", "0x", "-0x1", "+-1", "--1", "1 2", "0b2", "1e3", "x", "\u{85}1", "0x+1"] {
            assert_eq!(BigInt::parse(text), Err(BigIntError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_base_gives_the_same_number(number: u128) {
            let number = number >> 1;
            let decimal = BigInt::from(i128::try_from(number).unwrap());
            prop_assert_eq!(&BigInt::parse(&format!("{number:#x}")).unwrap(), &decimal);
            prop_assert_eq!(&BigInt::parse(&format!("{number:#o}")).unwrap(), &decimal);
            prop_assert_eq!(&BigInt::parse(&format!("{number:#b}")).unwrap(), &decimal);
            prop_assert_eq!(&BigInt::parse(decimal.as_str()).unwrap(), &decimal);
        }
    }
}
