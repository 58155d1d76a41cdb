//! What is written as rows and read as a client reads them, comes back as what it was.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;
use crate::{
    flight,
    js::{BigInt, ByteArray, Date, JsString, Map, Maybe, Set},
};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Everything {
    text: String,
    units: JsString,
    small: i8,
    wide: u64,
    huge: i128,
    float: f64,
    truth: bool,
    letter: char,
    option: Option<u32>,
    maybe: Maybe<u32>,
    date: Date,
    big: BigInt,
    bytes: ByteArray,
    map: Map<Maybe<u8>, Date>,
    set: Set<String>,
    named: BTreeMap<String, i64>,
    numbered: BTreeMap<u16, bool>,
    variants: Vec<Variant>,
    tuple: (u8, Option<Box<Everything>>),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Variant {
    Unit,
    Newtype(Date),
    Tuple(u8, String),
    Struct { inner: Maybe<BigInt> },
}

fn maybe<T: std::fmt::Debug + Clone + 'static>(
    some: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Maybe<T>> {
    prop_oneof![Just(Maybe::Undefined), Just(Maybe::Null), some.prop_map(Maybe::Some)].boxed()
}

fn date() -> impl Strategy<Value = Date> {
    (-8_640_000_000_000_000_i64..=8_640_000_000_000_000).prop_map(|millis| Date::from_millis(millis as f64))
}

fn variant() -> impl Strategy<Value = Variant> {
    prop_oneof![
        Just(Variant::Unit),
        date().prop_map(Variant::Newtype),
        (any::<u8>(), any::<String>()).prop_map(|(number, text)| Variant::Tuple(number, text)),
        maybe(any::<i128>().prop_map(BigInt::from)).prop_map(|inner| Variant::Struct { inner }),
    ]
}

fn everything() -> impl Strategy<Value = Everything> {
    let scalars =
        (any::<String>(), any::<Vec<u16>>(), any::<i8>(), any::<u64>(), any::<i128>(), any::<f64>());
    let kinds =
        (any::<bool>(), any::<char>(), any::<Option<u32>>(), maybe(any::<u32>()), date(), any::<i128>());
    let collections = (
        any::<Vec<u8>>(),
        prop::collection::vec((maybe(any::<u8>()), date()), 0..4),
        prop::collection::btree_set(any::<String>(), 0..4),
        prop::collection::btree_map(any::<String>(), any::<i64>(), 0..4),
        prop::collection::btree_map(any::<u16>(), any::<bool>(), 0..4),
        prop::collection::vec(variant(), 0..4),
    );
    (scalars, kinds, collections).prop_map(|(scalars, kinds, collections)| Everything {
        text: scalars.0,
        units: JsString::from_units(&scalars.1),
        small: scalars.2,
        wide: scalars.3,
        huge: scalars.4,
        float: if scalars.5.is_nan() { 0.5 } else { scalars.5 },
        truth: kinds.0,
        letter: kinds.1,
        option: kinds.2,
        maybe: kinds.3,
        date: kinds.4,
        big: kinds.5.into(),
        bytes: collections.0.into(),
        // A key that comes twice is one entry for the client.
        map: Map(collections.1.into_iter().take(1).collect()),
        set: collections.2.into_iter().collect(),
        // The key that JavaScript's own decoders drop.
        named: collections.3.into_iter().filter(|(key, _)| key != "__proto__").collect(),
        numbered: collections.4,
        variants: collections.5,
        tuple: (kinds.0.into(), None),
    })
}

fn there_and_back<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let rows = flight::encode(value, 0).unwrap();
    let root = flight::parse(&rows, &flight::Limits::default()).unwrap().root.unwrap();
    from_value(&root).unwrap()
}

proptest! {
    #[test]
    fn what_is_written_is_read(outer in everything(), inner in everything()) {
        let mut value = outer;
        value.tuple.1 = Some(Box::new(inner));
        prop_assert_eq!(there_and_back(&value), value);
    }

    #[test]
    fn a_value_passes_both_ways_unchanged(value in everything()) {
        let rows = flight::encode(&value, 0).unwrap();
        let root = flight::parse(&rows, &flight::Limits::default()).unwrap().root.unwrap();
        let passed: Value = from_value(&root).unwrap();
        prop_assert_eq!(&passed, &root);
        prop_assert_eq!(there_and_back(&passed), root);
    }
}
