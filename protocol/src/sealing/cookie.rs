//! Cookies that the browser keeps for the application: signed (readable) or sealed (not even that).
//!
//! Both are tied to the cookie's name, so that the value of one cookie is worth nothing as another. Neither is tied to
//! a time: what has to end keeps its end in the value. Keys of other builds count here, so that nobody is signed out by
//! a new build.

use data_encoding::BASE64URL_NOPAD;

use super::{NONCE_BYTES, cipher};
use crate::key_ring::{KeyId, KeyRing, SIGNATURE_BYTES, Verification, sign};

/// Stands before the name in the associated data of a sealed cookie.
const VERSION: u8 = 1;

/// Key id and signature.
const SUFFIX_BYTES: usize = 1 + SIGNATURE_BYTES;
pub(super) const SUFFIX_CHARACTERS: usize = (SUFFIX_BYTES * 4).div_ceil(3);

/// The cookie was altered, belongs to another name, or was not made by a key of the ring. It counts as absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cookie is not genuine")]
pub struct BadCookie;

/// Signs `value` for the cookie `name`: the value, a dot, and base64url of key id and signature.
///
/// The value stays as it is, so it must be made of characters that a cookie may have.
#[must_use]
pub fn sign_cookie(ring: &KeyRing, name: &str, value: &str) -> String {
    let key = ring.signing_key();
    let mut suffix = [key.id().get(); SUFFIX_BYTES];
    let signature = sign(&key.signed_cookies, &[&name_bytes(name), name.as_bytes(), value.as_bytes()]);
    suffix[1..].copy_from_slice(&signature);

    let mut signed = String::with_capacity(value.len() + 1 + SUFFIX_CHARACTERS);
    signed.push_str(value);
    signed.push('.');
    BASE64URL_NOPAD.encode_append(&suffix, &mut signed);
    signed
}

/// Gives back the value that [`sign_cookie`] signed for the cookie `name`.
///
/// # Errors
///
/// [`BadCookie`], in the same time whichever key the text names.
pub fn verify_cookie<'t>(ring: &KeyRing, name: &str, text: &'t str) -> Result<&'t str, BadCookie> {
    let (value, encoded) = text.rsplit_once('.').ok_or(BadCookie)?;
    if encoded.len() != SUFFIX_CHARACTERS {
        return Err(BadCookie);
    }
    let mut suffix = [0; SUFFIX_BYTES];
    BASE64URL_NOPAD.decode_mut(encoded.as_bytes(), &mut suffix).map_err(|_| BadCookie)?;
    let [key_id, signature @ ..] = suffix;

    let found = ring.find(KeyId::new(key_id));
    let message = [&name_bytes(name)[..], name.as_bytes(), value.as_bytes()];
    match found.verify(&found.key.signed_cookies, &message, &signature) {
        Verification::Current | Verification::OtherBuild => Ok(value),
        Verification::Bad => Err(BadCookie),
    }
}

/// Length of the name, signed before it: otherwise `ab` + `c` and `a` + `bc` would be one message.
fn name_bytes(name: &str) -> [u8; 8] {
    (name.len() as u64).to_le_bytes()
}

/// Seals `value` for the cookie `name`; of the same form as sealed arguments, with a key of its own.
///
/// `nonce` is 24 bytes from the system's source of randomness, new for each sealing.
#[must_use]
pub fn seal_cookie(ring: &KeyRing, name: &str, value: &[u8], nonce: [u8; NONCE_BYTES]) -> String {
    cipher::seal(
        ring,
        |key| &key.sealed_cookies,
        &context(name),
        &nonce,
        value.len(),
        |message| {
            message.extend_from_slice(value);
        },
    )
}

/// Gives back the value that [`seal_cookie`] sealed for the cookie `name`.
///
/// # Errors
///
/// [`BadCookie`], in the same time whichever key the text names.
pub fn open_cookie(ring: &KeyRing, name: &str, text: &str) -> Result<Vec<u8>, BadCookie> {
    cipher::open(ring, |key| &key.sealed_cookies, &context(name), text).ok_or(BadCookie)
}

fn context(name: &str) -> Vec<u8> {
    let mut context = Vec::with_capacity(1 + name.len());
    context.push(VERSION);
    context.extend_from_slice(name.as_bytes());
    context
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONCE: [u8; NONCE_BYTES] = [5; NONCE_BYTES];

    fn ring(id: u8) -> KeyRing {
        KeyRing::generate(KeyId::new(id), [id; 32])
    }

    #[test]
    fn a_signed_cookie_shows_its_value_and_gives_it_back() {
        let signed = sign_cookie(&ring(1), "session", "ada.lovelace");
        assert!(signed.starts_with("ada.lovelace."));
        assert_eq!(verify_cookie(&ring(1), "session", &signed), Ok("ada.lovelace"));
    }

    #[test]
    fn a_cookie_is_worth_nothing_under_another_name() {
        let ring = ring(1);
        let signed = sign_cookie(&ring, "ab", "c");
        let sealed = seal_cookie(&ring, "ab", b"c", NONCE);
        for name in ["a", "abc", "AB", ""] {
            assert_eq!(verify_cookie(&ring, name, &signed), Err(BadCookie));
            assert_eq!(open_cookie(&ring, name, &sealed), Err(BadCookie));
        }
        assert_eq!(verify_cookie(&ring, "a", &format!("b{signed}")), Err(BadCookie));
    }

    #[test]
    fn cookies_outlive_a_rotation_and_a_new_build() {
        let signed = sign_cookie(&ring(1), "session", "ada");
        let sealed = seal_cookie(&ring(1), "session", b"ada", NONCE);
        let rotated = KeyRing::parse(&format!("{},{}", *ring(2).to_text(), *ring(1).to_text())).unwrap();
        let rebuilt = ring(2).with_other_builds(&ring(1).to_text()).unwrap();
        for ring in [&rotated, &rebuilt] {
            assert_eq!(verify_cookie(ring, "session", &signed), Ok("ada"));
            assert_eq!(open_cookie(ring, "session", &sealed).unwrap(), b"ada");
        }
        assert_eq!(verify_cookie(&ring(2), "session", &signed), Err(BadCookie));
        assert_eq!(open_cookie(&ring(2), "session", &sealed), Err(BadCookie));
    }

    #[test]
    fn sealed_and_signed_cookies_are_not_taken_for_one_another() {
        let ring = ring(1);
        assert!(open_cookie(&ring, "s", &sign_cookie(&ring, "s", "ada")).is_err());
        assert!(verify_cookie(&ring, "s", &seal_cookie(&ring, "s", b"ada", NONCE)).is_err());
    }

    proptest! {
        #[test]
        fn cookies_come_back_as_they_went(
            name in "\\PC{0,20}", value in "\\PC{0,60}", nonce: [u8; NONCE_BYTES],
        ) {
            let ring = ring(3);
            let signed = sign_cookie(&ring, &name, &value);
            prop_assert_eq!(verify_cookie(&ring, &name, &signed), Ok(value.as_str()));
            let sealed = seal_cookie(&ring, &name, value.as_bytes(), nonce);
            prop_assert_eq!(open_cookie(&ring, &name, &sealed).unwrap(), value.as_bytes());
        }

        #[test]
        fn a_cookie_with_any_character_changed_is_refused(
            value in "[a-z.]{0,20}", at: prop::sample::Index, to in "[A-Za-z0-9_.-]",
        ) {
            let ring = ring(3);
            for (text, sealed) in [
                (sign_cookie(&ring, "s", &value), false),
                (seal_cookie(&ring, "s", value.as_bytes(), NONCE), true),
            ] {
                let mut changed = text.clone();
                let at = at.index(text.len());
                changed.replace_range(at..=at, &to);
                prop_assume!(changed != text);
                let refused = if sealed {
                    open_cookie(&ring, "s", &changed).is_err()
                } else {
                    verify_cookie(&ring, "s", &changed).is_err()
                };
                prop_assert!(refused);
            }
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in "\\PC{0,80}|[A-Za-z0-9_.-]{0,120}") {
            let _ = verify_cookie(&ring(1), "s", &text);
            let _ = open_cookie(&ring(1), "s", &text);
        }
    }
}
