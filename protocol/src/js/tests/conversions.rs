//! To Rust's own types and back.

use std::time::{Duration, SystemTime};

use super::{
    super::{IntegerRangeError, InvalidDateError},
    *,
};

#[test]
fn integers_become_big_ones_and_come_back_if_they_fit() {
    assert_eq!(BigInt::from(u128::MAX).to_string(), u128::MAX.to_string());
    assert_eq!(BigInt::from(-1_i8), BigInt::from(-1_i128));
    assert_eq!(u8::try_from(BigInt::from(255_u64)), Ok(255));
    assert_eq!(i64::try_from(&BigInt::from(i64::MIN)), Ok(i64::MIN));
    assert_eq!(u8::try_from(BigInt::from(256_u64)), Err(IntegerRangeError { type_name: "u8" }));
    assert_eq!(u64::try_from(BigInt::from(-1)), Err(IntegerRangeError { type_name: "u64" }));
}

#[test]
fn times_become_dates_and_come_back_to_the_millisecond() {
    for millis in [0_u64, 1, 1_700_000_000_123] {
        for time in [
            SystemTime::UNIX_EPOCH + Duration::from_millis(millis),
            SystemTime::UNIX_EPOCH - Duration::from_millis(millis),
        ] {
            assert_eq!(SystemTime::try_from(Date::from(time)), Ok(time));
        }
    }
    let before = SystemTime::UNIX_EPOCH - Duration::from_micros(1);
    assert_eq!(Date::from(before).millis(), Some(-1.0));
    assert_eq!(SystemTime::try_from(Date::from_millis(f64::NAN)), Err(InvalidDateError));
}

#[test]
fn the_last_entry_of_a_map_counts() {
    let map = Map::from_iter([("a".to_owned(), 1), ("b".to_owned(), 2), ("a".to_owned(), 3)]);
    assert_eq!((map.get("a"), map.get("c"), map.len()), (Some(&3), None, 3));
}
