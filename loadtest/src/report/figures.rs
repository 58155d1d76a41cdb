//! Figures as people read them: three digits, and the unit beside them.

/// Microseconds.
#[must_use]
pub(crate) fn micros(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} us"),
        1_000..1_000_000 => format!("{} ms", three_digits(micros as f64 / 1e3)),
        _ => format!("{} s", three_digits(micros as f64 / 1e6)),
    }
}

/// Seconds of a clock that runs with the load.
#[must_use]
pub(crate) fn seconds(seconds: f64) -> String {
    if seconds >= 90.0 {
        let whole = seconds.round() as u64;
        return format!("{}:{:02} min", whole / 60, whole % 60);
    }
    format!("{} s", three_digits(seconds))
}

/// A count, its thousands apart.
#[must_use]
pub(crate) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut apart = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart
}

/// Requests per second.
#[must_use]
pub(crate) fn rate(rate: f64) -> String {
    let shown = if rate >= 100.0 { count(rate.round() as u64) } else { three_digits(rate) };
    format!("{shown}/s")
}

/// A share from 0 to 1, in per cent.
#[must_use]
pub(crate) fn share(share: f64) -> String {
    match share {
        0.0 => "0 %".to_owned(),
        share if share < 0.0001 => "<0.01 %".to_owned(),
        share if (0.9995..1.0).contains(&share) => ">99.9 %".to_owned(),
        share => format!("{} %", three_digits(share * 100.0)),
    }
}

/// How many times as much.
#[must_use]
pub(crate) fn ratio(ratio: f64) -> String {
    if ratio.is_infinite() {
        return "from none".to_owned();
    }
    if ratio.is_nan() { "-".to_owned() } else { format!("{ratio:.2}x") }
}

/// Bytes, in powers of 1024.
#[must_use]
pub(crate) fn bytes(bytes: u64) -> String {
    let mut amount = bytes as f64;
    for unit in ["B", "KiB", "MiB"] {
        if amount < 1024.0 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{} {unit}", three_digits(amount))
            };
        }
        amount /= 1024.0;
    }
    format!("{} GiB", three_digits(amount))
}

fn three_digits(number: f64) -> String {
    match number {
        number if number >= 99.95 => format!("{number:.0}"),
        number if number >= 9.995 => format!("{number:.1}"),
        number => format!("{number:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        assert_eq!(
            [0, 999, 1_000, 12_340, 99_960, 999_999, 1_234_000].map(micros),
            ["0 us", "999 us", "1.00 ms", "12.3 ms", "100 ms", "1000 ms", "1.23 s"]
        );
        assert_eq!([0.5, 12.0, 100.4].map(seconds), ["0.50 s", "12.0 s", "1:40 min"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.5, 12.34, 12_345.6].map(rate), ["0.50/s", "12.3/s", "12,346/s"]);
        assert_eq!(
            [0.0, 0.000_01, 0.001, 0.5, 0.9999, 1.0].map(share),
            ["0 %", "<0.01 %", "0.10 %", "50.0 %", ">99.9 %", "100 %"]
        );
        assert_eq!([1.0, 1.234, f64::INFINITY, f64::NAN].map(ratio), ["1.00x", "1.23x", "from none", "-"]);
        assert_eq!([5, 2048, 3 << 20, 5 << 30].map(bytes), ["5 B", "2.00 KiB", "3.00 MiB", "5.00 GiB"]);
    }
}
