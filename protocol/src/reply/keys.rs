//! Keys that are given twice, in objects, maps and sets.

use std::collections::HashMap;

use crate::{
    js::{BigInt, JsString},
    value::{NodeId, Slot},
};

/// Up to this many entries, comparing each with each is faster than a table.
pub(super) const NARROW: usize = 16;

/// What `Map` and `Set` take for the same key: `NaN` equals itself, and `-0` equals `0`.
#[derive(PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    Undefined,
    Null,
    Bool(bool),
    Number(u64),
    String(&'a JsString),
    BigInt(&'a BigInt),
    Node(NodeId),
}

/// The key of a map's or set's entry. Dates are objects of their own, each equal to no other.
pub(super) fn of_slot(slot: &Slot) -> Option<Key<'_>> {
    Some(match slot {
        Slot::Undefined => Key::Undefined,
        Slot::Null => Key::Null,
        Slot::Bool(truth) => Key::Bool(*truth),
        // Adding zero turns -0 into 0.
        Slot::Number(number) => Key::Number(if number.is_nan() { f64::NAN } else { number + 0.0 }.to_bits()),
        Slot::String(text) => Key::String(text),
        Slot::BigInt(number) => Key::BigInt(number),
        Slot::Node(node) => Key::Node(*node),
        Slot::Date(_) | Slot::Symbol(_) => return None,
    })
}

/// The key of an object's member.
#[expect(clippy::unnecessary_wraps, reason = "those of other entries are optional")]
pub(super) fn of_name(name: &JsString) -> Option<Key<'_>> {
    Some(Key::String(name))
}

/// Keeps each key once, at its first place, with its last value.
pub(super) fn keep_last<K, V>(entries: &mut Vec<(K, V)>, key_of: for<'a> fn(&'a K) -> Option<Key<'a>>) {
    if entries.len() <= NARROW {
        let mut at = 1;
        while at < entries.len() {
            let key = key_of(&entries[at].0);
            let first = entries[..at].iter().position(|(earlier, _)| key.is_some() && key_of(earlier) == key);
            match first {
                Some(first) => entries[first].1 = entries.remove(at).1,
                None => at += 1,
            }
        }
        return;
    }
    // Where the first of each key comes to stand.
    let mut firsts = HashMap::with_capacity(entries.len());
    let mut count = 0;
    let places: Vec<usize> = entries
        .iter()
        .map(|(key, _)| {
            let place = key_of(key).map_or(count, |key| *firsts.entry(key).or_insert(count));
            count += usize::from(place == count);
            place
        })
        .collect();
    if count == entries.len() {
        return;
    }
    let mut kept: Vec<(K, V)> = Vec::with_capacity(count);
    for (place, entry) in places.into_iter().zip(entries.drain(..)) {
        match kept.get_mut(place) {
            Some(first) => first.1 = entry.1,
            None => kept.push(entry),
        }
    }
    *entries = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: narrow and wide are the same. Method: one key out of few, in many entries.
    #[test]
    fn each_key_is_kept_once_at_its_first_place_with_its_last_value() {
        for count in [2, 10, NARROW, NARROW + 1, 100] {
            let mut entries: Vec<_> = (0..count).map(|at| (Slot::Number((at * at % 7) as f64), at)).collect();
            let mut expected: Vec<(f64, usize)> = Vec::new();
            for at in 0..count {
                let key = (at * at % 7) as f64;
                match expected.iter_mut().find(|(earlier, _)| *earlier == key) {
                    Some(earlier) => earlier.1 = at,
                    None => expected.push((key, at)),
                }
            }
            keep_last(&mut entries, of_slot);
            let kept = entries.into_iter().map(|(key, at)| match key {
                Slot::Number(key) => (key, at),
                other => panic!("{other:?}"),
            });
            assert_eq!(kept.collect::<Vec<_>>(), expected, "{count} entries");
        }
    }

    #[test]
    fn zeros_and_nans_are_one_key_and_dates_are_none() {
        let date = || Slot::Date(crate::js::Date::from_millis(0.0));
        let keys = [Slot::Number(0.0), Slot::Number(-0.0), Slot::Number(f64::NAN), date(), date()];
        let mut entries: Vec<_> = keys.into_iter().chain([Slot::Number(-f64::NAN)]).zip(0..).collect();
        keep_last(&mut entries, of_slot);
        assert_eq!(entries.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [1, 5, 3, 4]);
    }
}
