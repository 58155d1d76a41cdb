//! JavaScript dates.

/// A JavaScript `Date`: milliseconds since 1970-01-01T00:00:00Z, NaN for an invalid date.
#[derive(Clone, Copy, Debug)]
pub struct Date(f64);

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

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

    /// Parses ECMAScript's date time format: `YYYY`, `YYYY-MM`, `YYYY-MM-DD`, each with `THH:mm`, `:ss`, `.sss`
    /// and `Z` or `±HH:mm` after it, and years of six digits with a sign. Any other text gives an invalid date.
    ///
    /// `toISOString` writes no other format. The others that some engines guess at depend on the machine's time
    /// zone; so does a time without zone, which is taken as UTC here.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        parse(text.as_bytes()).map_or(Self(f64::NAN), |millis| Self::from_millis(millis as f64))
    }

    /// What `toISOString` gives, or `None` for an invalid date.
    #[must_use]
    pub fn to_iso(self) -> Option<String> {
        let millis = self.millis()? as i64;
        let (year, month, day) = civil(millis.div_euclid(DAY));
        let time = millis.rem_euclid(DAY);
        let (hour, minute, second) = (time / 3_600_000, time / 60_000 % 60, time / 1000 % 60);
        let year = match year {
            0..=9999 => format!("{year:04}"),
            _ => format!("{year:+07}"),
        };
        Some(format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", time % 1000))
    }
}

/// Two invalid dates are equal: this compares values as a test does, not as `===`.
impl PartialEq for Date {
    fn eq(&self, other: &Self) -> bool {
        self.millis() == other.millis()
    }
}

fn parse(mut text: &[u8]) -> Option<i64> {
    let year = match take_any(&mut text, b"+-") {
        Some(sign) => match number(&mut text, 6)? {
            0 if sign == b'-' => return None,
            year => {
                if sign == b'-' {
                    -year
                } else {
                    year
                }
            }
        },
        None => number(&mut text, 4)?,
    };
    let (mut month, mut day) = (1, 1);
    if take_any(&mut text, b"-").is_some() {
        month = number(&mut text, 2)?;
        if take_any(&mut text, b"-").is_some() {
            day = number(&mut text, 2)?;
        }
    }
    let time = if take_any(&mut text, b"T").is_some() { time(&mut text)? } else { 0 };
    let in_range = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
    (in_range && text.is_empty()).then(|| days(year, month, day) * DAY + time)
}

/// `HH:mm[:ss[.s…]][Z|±HH:mm]`, in milliseconds; `24:00` is the day's end.
fn time(text: &mut &[u8]) -> Option<i64> {
    let hour = number(text, 2)?;
    take_any(text, b":")?;
    let minute = number(text, 2)?;
    let (mut second, mut millis) = (0, 0);
    if take_any(text, b":").is_some() {
        second = number(text, 2)?;
        if take_any(text, b".").is_some() {
            millis = fraction(text)?;
        }
    }
    let time = ((hour * 60 + minute) * 60 + second) * 1000 + millis;
    if minute > 59 || second > 59 || time > DAY {
        return None;
    }
    match take_any(text, b"Z+-") {
        None | Some(b'Z') => Some(time),
        Some(sign) => {
            let hours = number(text, 2)?;
            take_any(text, b":")?;
            let minutes = number(text, 2)?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = (hours * 60 + minutes) * 60_000;
            Some(if sign == b'-' { time + offset } else { time - offset })
        }
    }
}

/// Milliseconds of a decimal fraction of a second; more than three digits are cut.
fn fraction(text: &mut &[u8]) -> Option<i64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, rest) = text.split_at(digits);
    *text = rest;
    let digit = |at: usize| fraction.get(at).map_or(0, |digit| i64::from(digit - b'0'));
    (digits > 0).then(|| digit(0) * 100 + digit(1) * 10 + digit(2))
}

/// Exactly this many digits.
fn number(text: &mut &[u8], digits: usize) -> Option<i64> {
    let (number, rest) = text.split_at_checked(digits)?;
    *text = rest;
    number.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

fn take_any(text: &mut &[u8], any: &[u8]) -> Option<u8> {
    let (&first, rest) = text.split_first()?;
    any.contains(&first).then(|| {
        *text = rest;
        first
    })
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar. Years begin in March here, so that the leap day is the
/// last of a year; 400 years have 146 097 days.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days`]: year, month and day.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = (march_month + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_year - (153 * march_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_formats_of_ecmascript_are_parsed() {
        let cases = [
            ("1970-01-01T00:00:00.000Z", 0.0),
            ("2026-02-03T04:05:06.789Z", 1_770_091_506_789.0),
            ("2020", 1_577_836_800_000.0),
            ("2020-01", 1_577_836_800_000.0),
            ("2020-01-01", 1_577_836_800_000.0),
            ("2020-01-01T24:00Z", 1_577_923_200_000.0),
            ("2020-01-01T01:30+01:30", 1_577_836_800_000.0),
            ("+010000-01-01T00:00:00.000Z", 253_402_300_800_000.0),
            ("-000001-01-01T00:00:00.000Z", -62_198_755_200_000.0),
            ("+275760-09-13T00:00:00.000Z", 8.64e15),
            ("-271821-04-20T00:00:00.000Z", -8.64e15),
        ];
        for (text, millis) in cases {
            assert_eq!(Date::parse(text).millis(), Some(millis), "{text}");
        }
    }

    #[test]
    fn other_texts_give_an_invalid_date() {
        let cases = [
            "",
            "garbage",
            "2020-13-01",
            "2021-02-29",
            "2020-01-01T24:01Z",
            "2020-01-01T00:00:60Z",
            "-000000-01-01",
            "+275760-09-13T00:00:00.001Z",
            "2020-01-01T00:00Zx",
            "20",
        ];
        for text in cases {
            assert_eq!(Date::parse(text).millis(), None, "{text}");
            assert_eq!(Date::parse(text).to_iso(), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_formatted_date_parses_back(millis in -8_640_000_000_000_000_i64..=8_640_000_000_000_000) {
            let date = Date::from_millis(millis as f64);
            prop_assert_eq!(Date::parse(&date.to_iso().unwrap()), date);
        }

        #[test]
        fn any_text_is_parsed_without_panic(text in "[-+0-9TZ:.]{0,30}") {
            let _ = Date::parse(&text);
        }
    }
}
