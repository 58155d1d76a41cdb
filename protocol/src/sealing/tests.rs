use proptest::prelude::*;

use super::*;
use crate::{
    action_id::{ActionId, InfoByte},
    key_ring::KeyId,
};

const NOW_MS: u64 = 1_800_000_000_000;
const NONCE: [u8; NONCE_BYTES] = [5; NONCE_BYTES];

fn ring(id: u8) -> KeyRing {
    KeyRing::generate(KeyId::new(id), [id; 32])
}

fn reference(ring: &KeyRing, location: &str) -> ActionReference {
    ActionReference::sign(ring, ActionId::derive(b"guestbook", location, InfoByte::ALL))
}

fn seal_plain(ring: &KeyRing, options: SealOptions<'_>) -> String {
    seal(ring, &reference(ring, "sign"), b"draft 7", options, NONCE)
}

fn open_at(ring: &KeyRing, text: &str, now_ms: u64, principal: Option<&str>) -> Result<Vec<u8>, SealError> {
    open(ring, &reference(ring, "sign"), text, now_ms, principal)
}

#[test]
fn sealed_arguments_open_to_what_was_sealed_and_show_nothing_of_it() {
    let ring = ring(1);
    let options = SealOptions { expires_at_ms: Some(NOW_MS + 1), principal: Some("ada") };
    let text = seal_plain(&ring, options);

    assert_eq!(open_at(&ring, &text, NOW_MS, Some("ada")).unwrap(), b"draft 7");
    let bytes = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
    assert!(memchr::memmem::find(&bytes, b"draft").is_none());
    assert!(memchr::memmem::find(&bytes, b"ada").is_none());
}

/// Goal: sealed arguments in open pages survive every upgrade of this crate. The text was computed with
/// another implementation (OpenSSL's AES), so that it does not only repeat what the code does.
#[test]
fn a_sealed_text_is_the_same_for_ever() {
    let options = SealOptions { expires_at_ms: Some(NOW_MS), principal: Some("ada") };
    assert_eq!(
        seal_plain(&ring(1), options),
        "AQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBZgokGLzwn68IXv2ocTAq863aPHBQKgG6IsuMd4Vjs61aoPrufh_6NkLlmA"
    );
}

#[test]
fn an_expired_seal_is_refused_from_its_instant_on() {
    let ring = ring(1);
    let text = seal_plain(&ring, SealOptions { expires_at_ms: Some(NOW_MS), principal: None });
    assert!(open_at(&ring, &text, NOW_MS - 1, None).is_ok());
    for now_ms in [NOW_MS, NOW_MS + 1, u64::MAX] {
        let refused = open_at(&ring, &text, now_ms, None).unwrap_err();
        assert_eq!(refused, SealError::Expired { expires_at_ms: NOW_MS, now_ms });
        assert_eq!(refused.code(), ErrorCode::BadSeal);
    }
    let for_ever = seal_plain(&ring, SealOptions::default());
    assert!(open_at(&ring, &for_ever, u64::MAX, None).is_ok());
}

#[test]
fn a_seal_for_one_principal_is_refused_to_others_and_to_nobody() {
    let ring = ring(1);
    let text = seal_plain(&ring, SealOptions { expires_at_ms: None, principal: Some("ada") });
    assert!(open_at(&ring, &text, NOW_MS, Some("ada")).is_ok());
    for caller in [None, Some(""), Some("adb"), Some("ada2"), Some("Ada")] {
        let refused = open_at(&ring, &text, NOW_MS, caller).unwrap_err();
        assert_eq!(refused, SealError::OtherPrincipal);
        assert_eq!(refused.code(), ErrorCode::BadSeal);
    }
    let anybodys = seal_plain(&ring, SealOptions::default());
    assert!(open_at(&ring, &anybodys, NOW_MS, Some("ada")).is_ok());
}

#[test]
fn a_seal_for_one_action_is_refused_by_another() {
    let ring = ring(1);
    let text = seal_plain(&ring, SealOptions::default());
    let refused = open(&ring, &reference(&ring, "delete"), &text, NOW_MS, None).unwrap_err();
    assert_eq!(refused, SealError::NotGenuine);
    assert_eq!(refused.code(), ErrorCode::BadSeal);
}

/// Goal: a page that was open during a rotation still works; its reference and its seal are both of the old key.
#[test]
fn an_old_seal_opens_as_long_as_its_key_is_in_the_ring() {
    let old = ring(1);
    let text = seal_plain(&old, SealOptions::default());
    let open_in = |ring: &KeyRing| open(ring, &reference(&old, "sign"), &text, NOW_MS, None);

    let rotated = KeyRing::parse(&format!("{},{}", *ring(2).to_text(), *old.to_text())).unwrap();
    assert_eq!(open_in(&rotated).unwrap(), b"draft 7");
    assert_eq!(open_in(&ring(2)), Err(SealError::NotGenuine));
}

/// Goal: the key that stands in for unknown ids opens nothing. Method: seal with it.
#[test]
fn a_seal_of_the_decoy_is_refused() {
    let ring = ring(1);
    let reference = reference(&ring, "sign");
    let key_id_of = |text: &str| data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()[0];
    let decoys_twin = {
        let salted = ring.find(KeyId::new(200)).key;
        let mut bytes = vec![200];
        bytes.extend_from_slice(&NONCE);
        let mut message = vec![0, 1, 2];
        let tag = salted.arguments.encrypt(&NONCE, &context(&reference), &mut message);
        bytes.extend_from_slice(&message);
        bytes.extend_from_slice(&tag);
        data_encoding::BASE64URL_NOPAD.encode(&bytes)
    };
    assert_eq!(key_id_of(&decoys_twin), 200);
    assert_eq!(open(&ring, &reference, &decoys_twin, NOW_MS, None), Err(SealError::NotGenuine));
}

#[test]
fn what_is_too_short_to_be_a_seal_is_refused() {
    let ring = ring(1);
    let whole = seal(&ring, &reference(&ring, "sign"), b"", SealOptions::default(), NONCE);
    for end in 0..whole.len() {
        assert_eq!(open_at(&ring, &whole[..end], NOW_MS, None), Err(SealError::NotGenuine));
    }
    assert_eq!(open_at(&ring, &whole, NOW_MS, None).unwrap(), b"");
}

fn options() -> impl Strategy<Value = (Option<u64>, Option<String>)> {
    (prop::option::of(1..u64::MAX), prop::option::of("\\PC{0,20}"))
}

proptest! {
    #[test]
    fn what_is_sealed_is_what_is_opened(
        plaintext: Vec<u8>, (expires_at_ms, principal) in options(), key_id: u8, nonce: [u8; NONCE_BYTES],
    ) {
        let ring = ring(key_id);
        let reference = reference(&ring, "sign");
        let options = SealOptions { expires_at_ms, principal: principal.as_deref() };
        let text = seal(&ring, &reference, &plaintext, options, nonce);
        let opened = open(&ring, &reference, &text, 0, principal.as_deref());
        prop_assert_eq!(opened.unwrap(), plaintext);
    }

    #[test]
    fn a_sealed_text_with_any_bit_flipped_is_refused(
        plaintext: Vec<u8>, (expires_at_ms, principal) in options(), at: prop::sample::Index, bit in 0..8,
    ) {
        let ring = KeyRing::parse(&format!("{},{}", *ring(1).to_text(), *ring(0).to_text())).unwrap();
        let reference = reference(&ring, "sign");
        let options = SealOptions { expires_at_ms, principal: principal.as_deref() };
        let text = seal(&ring, &reference, &plaintext, options, NONCE);
        let mut bytes = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        let flipped = data_encoding::BASE64URL_NOPAD.encode(&bytes);
        prop_assert_eq!(
            open(&ring, &reference, &flipped, 0, principal.as_deref()),
            Err(SealError::NotGenuine)
        );
    }

    #[test]
    fn no_text_makes_opening_panic(text in "\\PC{0,80}|[A-Za-z0-9_-]{0,120}") {
        prop_assert!(open_at(&ring(1), &text, NOW_MS, None).is_err());
    }

    /// A form of the message that was never written does not read; in particular no length reaches past its end.
    #[test]
    fn no_message_makes_the_reader_panic(message: Vec<u8>, flags in 0..4_u8) {
        let _ = read(&message);
        let _ = read(&[&[flags], message.as_slice()].concat());
    }
}
