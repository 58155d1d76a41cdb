//! JavaScript dates.

/// A JavaScript `Date`: milliseconds since 1970-01-01T00:00:00Z, NaN for an invalid date.
#[derive(Clone, Copy, Debug)]
pub struct Date(f64);

impl Date {
    /// The date at this many milliseconds since the epoch; out of JavaScript's range (±8.64e15) it is invalid.
    #[must_use]
    pub fn from_millis(millis: f64) -> Self {
        if millis.abs() <= 8.64e15 { Self(millis.trunc() + 0.0) } else { Self(f64::NAN) }
    }

    /// Milliseconds since the epoch, or `None` for an invalid date.
    #[must_use]
    pub fn millis(self) -> Option<f64> {
        (!self.0.is_nan()).then_some(self.0)
    }
}

/// Two invalid dates are equal: this compares values as a test does, not as `===`.
impl PartialEq for Date {
    fn eq(&self, other: &Self) -> bool {
        self.millis() == other.millis()
    }
}
