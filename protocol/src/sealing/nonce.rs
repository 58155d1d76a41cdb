//! Nonces of forms: one in each page that is sent, so that a form that comes twice is known to be the same.

use data_encoding::BASE64URL_NOPAD;

use super::{
    SealError,
    cookie::{SUFFIX_CHARACTERS, sign_cookie, verify_cookie},
};
use crate::key_ring::KeyRing;

/// Random bytes that each nonce needs.
pub const FORM_NONCE_RANDOM_BYTES: usize = 24;

/// How long each nonce is, in characters of base64url and a dot.
pub const FORM_NONCE_CHARACTERS: usize = FORM_NONCE_RANDOM_BYTES / 3 * 4 + 1 + SUFFIX_CHARACTERS;

/// What the nonces are signed as. No cookie has a name with a blank in it, so none is worth anything as a nonce.
const NAME: &str = "form nonce";

/// A nonce: the random bytes and a signature. It is bound to nothing but what it is for, as the page that it goes into
/// may be anybody's.
///
/// It bears no time. A page that was left open overnight must work, and is as easily submitted twice as a new one.
#[must_use]
pub fn sign_form_nonce(ring: &KeyRing, random: [u8; FORM_NONCE_RANDOM_BYTES]) -> String {
    sign_cookie(ring, NAME, &BASE64URL_NOPAD.encode(&random))
}

/// What tells a nonce that [`sign_form_nonce`] made from all others.
///
/// # Errors
///
/// [`SealError::NotGenuine`], in the same time whichever key the text names.
pub fn verify_form_nonce<'t>(ring: &KeyRing, text: &'t str) -> Result<&'t str, SealError> {
    verify_cookie(ring, NAME, text).map_err(|_| SealError::NotGenuine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{key_ring::KeyId, sealing::seal_cookie};

    fn ring(id: u8) -> KeyRing {
        KeyRing::generate(KeyId::new(id), [id; 32])
    }

    #[test]
    fn every_nonce_is_as_long_as_it_says_and_another() {
        let ring = ring(1);
        let nonces: Vec<_> = (0..=255).map(|byte| sign_form_nonce(&ring, [byte; 24])).collect();
        let mut seen: Vec<_> = nonces.iter().map(|nonce| verify_form_nonce(&ring, nonce).unwrap()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 256);
        assert!(nonces.iter().all(|nonce| nonce.len() == FORM_NONCE_CHARACTERS));
    }

    #[test]
    fn what_was_not_made_as_a_nonce_is_none() {
        let ours = sign_form_nonce(&ring(1), [7; 24]);
        let altered = ours.replacen('B', "C", 1);
        assert_ne!(altered, ours);
        let cookie = sign_cookie(&ring(1), "form", &BASE64URL_NOPAD.encode(&[7; 24]));
        let sealed = seal_cookie(&ring(1), NAME, b"7", [7; 24]);
        let foreign = sign_form_nonce(&ring(2), [7; 24]);
        for text in ["", ".", &ours[1..], &altered, &cookie, &sealed, &foreign] {
            assert_eq!(verify_form_nonce(&ring(1), text), Err(SealError::NotGenuine), "{text}");
        }
    }

    #[test]
    fn nonces_outlive_a_rotation() {
        let nonce = sign_form_nonce(&ring(1), [7; 24]);
        let rotated = KeyRing::parse(&format!("{},{}", *ring(2).to_text(), *ring(1).to_text())).unwrap();
        assert!(verify_form_nonce(&rotated, &nonce).is_ok());
    }
}
