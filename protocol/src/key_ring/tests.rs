use proptest::prelude::*;

use super::*;

const ONE: &str = "1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const TWO: &str = "2:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

fn ids(ring: &KeyRing) -> Vec<u8> {
    ring.fingerprints().map(|(id, _)| id.get()).collect()
}

#[test]
fn the_first_key_signs_and_all_are_kept_in_order() {
    let ring = KeyRing::parse(&format!(" {TWO} , {ONE}\n")).unwrap();
    assert_eq!(ring.signing_key_id(), KeyId::new(2));
    assert_eq!(ids(&ring), [2, 1]);
    assert_eq!(*ring.to_text(), format!("{TWO},{ONE}"));
}

#[test]
fn each_mistake_has_an_error_of_its_own() {
    let id = KeyId::new(1);
    for (text, error) in [
        (String::new(), KeyRingError::Empty),
        (" \n".to_owned(), KeyRingError::Empty),
        (format!("{ONE},"), KeyRingError::EmptyEntry { entry: 2 }),
        (format!(",{ONE}"), KeyRingError::EmptyEntry { entry: 1 }),
        (ONE[2..].to_owned(), KeyRingError::NoId { entry: 1 }),
        (format!("{TWO},x{ONE}"), KeyRingError::BadId { entry: 2 }),
        (format!("256{}", &ONE[1..]), KeyRingError::BadId { entry: 1 }),
        (format!("+{ONE}"), KeyRingError::BadId { entry: 1 }),
        (format!("0{ONE}"), KeyRingError::BadId { entry: 1 }),
        (ONE[1..].to_owned(), KeyRingError::BadId { entry: 1 }),
        (ONE.replace('=', ""), KeyRingError::NotBase64 { id }),
        (ONE.replace("QE=", "QF="), KeyRingError::NotBase64 { id }),
        (ONE.replace("AQ", "A_"), KeyRingError::NotBase64 { id }),
        ("1:".to_owned(), KeyRingError::Length { id, bytes: 0 }),
        ("1:AQEB".to_owned(), KeyRingError::Length { id, bytes: 3 }),
        (format!("{ONE}AQEB"), KeyRingError::Length { id, bytes: 35 }),
        (format!("{ONE},{TWO},{ONE}"), KeyRingError::DuplicateId { id }),
        (format!("{ONE},9{}", &ONE[1..]), KeyRingError::SameKey { first: id, second: KeyId::new(9) }),
    ] {
        assert_eq!(KeyRing::parse(&text).unwrap_err(), error, "{text:?}");
    }
}

#[test]
fn neither_debug_nor_errors_show_key_material() {
    let ring = KeyRing::parse(&format!("{ONE},{TWO}")).unwrap();
    let shown = format!("{ring:?} {ring:#?}");
    for part in ["AQEB", "AgIC", "0101", "1, 1", "2, 2"] {
        assert!(!shown.contains(part), "{shown}");
    }
    for broken in [ONE.replace('=', ""), ONE[2..].to_owned(), format!("x{ONE}"), format!("{ONE}AQEB")] {
        let error = KeyRing::parse(&broken).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("AQEB"));
    }
}

/// Goal: memory that held a key holds it no longer than the ring. Method: the types of a key's fields say so.
#[test]
fn what_holds_a_secret_is_wiped_when_dropped() {
    fn is_wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}
    let ring = KeyRing::parse(ONE).unwrap();
    let key = ring.signing_key();
    // An HMAC state is two hash states, and does not say it of itself.
    is_wiped(&Sha256::default());
    is_wiped(&key.arguments);
    is_wiped(&key.sealed_cookies);
    is_wiped(&ring.to_text());
    is_wiped(&ring.build_salt());
}

#[test]
fn fingerprints_tell_keys_apart_and_depend_on_nothing_else() {
    let of = |text: &str| KeyRing::parse(text).unwrap().fingerprints().next().unwrap().1;
    assert_ne!(of(ONE), of(TWO));
    assert_eq!(of(ONE), of(&format!("{ONE},{TWO}")));
    assert_eq!(of(ONE), of(&ONE.replace("1:", "9:")));
    assert_eq!(of(ONE).to_string().len(), 16);
}

#[test]
fn keys_of_other_builds_never_sign() {
    let ring = KeyRing::parse(ONE).unwrap().with_other_builds(TWO).unwrap();
    assert_eq!(ring.signing_key_id(), KeyId::new(1));
    assert_eq!(ids(&ring), [1, 2]);
    assert_eq!(*ring.to_text(), ONE);
}

#[test]
fn a_list_of_all_builds_may_hold_the_own_key_but_no_second_key_of_that_id() {
    let ring = KeyRing::parse(ONE).unwrap();
    let all = ring.clone().with_other_builds(&format!("{ONE},{TWO}")).unwrap();
    assert_eq!(ids(&all), [1, 2]);
    assert_eq!(ids(&all.clone().with_other_builds(TWO).unwrap()), [1, 2]);

    let clash = ring.with_other_builds(&TWO.replace("2:", "1:"));
    assert_eq!(clash, Err(KeyRingError::DuplicateId { id: KeyId::new(1) }));
}

#[test]
fn a_ring_of_all_256_ids_works() {
    let text: Vec<String> =
        (0..=255).map(|id| KeyRing::generate(KeyId::new(id), [id; 32]).to_text().to_string()).collect();
    let ring = KeyRing::parse(&text.join(",")).unwrap();
    assert_eq!(ids(&ring), (0..=255).collect::<Vec<u8>>());
    assert_eq!(*ring.to_text(), text.join(","));
}

#[test]
fn the_build_salt_follows_the_signing_key() {
    let salt = |text: &str| KeyRing::parse(text).unwrap().build_salt();
    assert_ne!(salt(ONE), salt(TWO));
    assert_eq!(salt(ONE), salt(&format!("{ONE},{TWO}")));
}

/// Goal: no purpose can be served with what was made for another. Method: sign the same with each.
#[test]
fn every_purpose_has_a_key_of_its_own() {
    let ring = KeyRing::parse(ONE).unwrap();
    let key = ring.signing_key();
    let decoy = ring.find(KeyId::new(99)).key;
    let made = [&key.references, &key.signed_cookies, &decoy.references, &decoy.signed_cookies]
        .map(|state| sign(state, &[b"same"]));
    for (place, one) in made.iter().enumerate() {
        assert!(!made[place + 1..].contains(one));
    }
}

proptest! {
    #[test]
    fn the_text_of_a_ring_parses_to_the_same_ring(
        secrets in proptest::collection::btree_map(any::<u8>(), any::<[u8; 31]>(), 1..8),
    ) {
        let entries: Vec<String> = secrets
            .iter()
            .map(|(id, most)| {
                // The id makes the secrets differ, also where proptest shrinks them all to zeros.
                let mut secret = [*id; 32];
                secret[1..].copy_from_slice(most);
                KeyRing::generate(KeyId::new(*id), secret).to_text().to_string()
            })
            .collect();
        let text = entries.join(",");
        let ring = KeyRing::parse(&text).unwrap();
        let printed = ring.to_text();
        prop_assert_eq!(printed.as_str(), text.as_str());
        prop_assert_eq!(KeyRing::parse(&ring.to_text()).unwrap(), ring);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,80}|[0-9:,=A-Za-z+/]{0,120}") {
        let _ = KeyRing::parse(&text);
    }
}
