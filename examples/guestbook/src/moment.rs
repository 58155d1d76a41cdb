//! When an entry was written: a number in the store, a date for people, a timestamp for machines; all in UTC.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use callboard::js::Date;
use serde::{Serialize, Serializer};

/// Names of the months, from January on.
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The last second of the year 9999: RFC 3339 has no later one.
const UNIX_SECONDS_MAX: u64 = 253_402_300_799;

/// A point in time, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    unix_seconds: u64,
}

impl Moment {
    /// Now, by this computer's clock.
    pub(crate) fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { unix_seconds: since_epoch.as_secs().min(UNIX_SECONDS_MAX) }
    }

    /// What [`to_stored`](Self::to_stored) gave; what it cannot have given becomes the nearest that it can.
    pub(crate) fn of_stored(unix_seconds: i64) -> Self {
        Self { unix_seconds: u64::try_from(unix_seconds).unwrap_or(0).min(UNIX_SECONDS_MAX) }
    }

    /// As the store keeps it: seconds since 1970.
    pub(crate) fn to_stored(self) -> i64 {
        i64::try_from(self.unix_seconds).expect("the largest second fits 38 bits")
    }

    /// As HTML's `datetime` wants it: `2025-11-23T20:40:00Z`.
    pub(crate) fn machine(self) -> String {
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(self.unix_seconds)).to_string()
    }
}

/// A `Date` where it becomes a value of JavaScript.
impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Date::from_millis(self.unix_seconds as f64 * 1000.0).serialize(serializer)
    }
}

/// As people read it: `23 November 2025, 20:40 UTC`.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = self.machine();
        let (year, month, day) = (&machine[..4], &machine[5..7], machine[8..10].trim_start_matches('0'));
        let month = month.parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
        let month = month.expect("RFC 3339 numbers the months from 01 to 12");
        write!(f, "{day} {month} {year}, {} UTC", &machine[11..16])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_a_date_in_utc() {
        let moment = Moment::of_stored(1_763_930_401);
        assert_eq!(moment.machine(), "2025-11-23T20:40:01Z");
        assert_eq!(moment.to_string(), "23 November 2025, 20:40 UTC");
        assert_eq!(Moment::of_stored(1_709_164_800).to_string(), "29 February 2024, 00:00 UTC");
        assert_eq!(moment.to_stored(), 1_763_930_401);
    }

    #[test]
    fn no_stored_number_makes_the_page_fail() {
        assert_eq!(Moment::of_stored(i64::MIN).to_string(), "1 January 1970, 00:00 UTC");
        assert_eq!(Moment::of_stored(i64::MAX).to_string(), "31 December 9999, 23:59 UTC");
    }
}
