//! Action references: what clients hold, and send to call an action.

use std::{fmt, ops::Deref};

use faster_hex::CheckCase;

use crate::{
    ErrorCode,
    action_id::{ActionId, InfoByte},
    key_ring::{KeyId, KeyRing, SIGNATURE_BYTES, Verification, sign},
};

/// An action id that was signed by an application's key ring: 76 lower-case hex digits.
///
/// Bytes 0..21 are the [`ActionId`], byte 21 the [`KeyId`], bytes 22..38 the HMAC-SHA-256 over those, cut to 16. The
/// id comes first because React's and Next's clients read its info byte.
///
/// Invariant: signed by [`ActionReference::sign`], or inside [`UnverifiedReference`], which does not give it out.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ActionReference {
    id: ActionId,
    key_id: KeyId,
    signature: [u8; SIGNATURE_BYTES],
}

impl ActionReference {
    /// Length, in bytes.
    pub const BYTES: usize = ActionId::BYTES + 1 + SIGNATURE_BYTES;
    /// Length of the text, in bytes.
    pub const DIGITS: usize = Self::BYTES * 2;

    /// Signs `id` with the ring's first key.
    #[must_use]
    pub fn sign(ring: &KeyRing, id: ActionId) -> Self {
        let key = ring.signing_key();
        let signature = sign(&key.references, &[id.as_bytes(), &[key.id().get()]]);
        Self { id, key_id: key.id(), signature }
    }

    /// Reads the text of a `next-action` header or an action field. Nothing is believed yet.
    ///
    /// # Errors
    ///
    /// [`ReferenceError::Length`], [`ReferenceError::UpperCase`], [`ReferenceError::Digit`] or
    /// [`ReferenceError::NotAnAction`]. Upper case is refused, so that a reference has one spelling.
    pub fn parse(text: &str) -> Result<UnverifiedReference, ReferenceError> {
        if text.len() != Self::DIGITS {
            return Err(ReferenceError::Length { bytes: text.len() });
        }
        let bytes =
            faster_hex::hex_decode_array_with_case::<{ Self::BYTES }>(text.as_bytes(), CheckCase::Lower)
                .map_err(|_| first_wrong_digit(text))?;
        let (mut id, mut signature) = ([0; ActionId::BYTES], [0; SIGNATURE_BYTES]);
        id.copy_from_slice(&bytes[..ActionId::BYTES]);
        signature.copy_from_slice(&bytes[ActionId::BYTES + 1..]);
        let id = ActionId::from_bytes(id).map_err(|_| ReferenceError::NotAnAction)?;
        Ok(UnverifiedReference(Self { id, key_id: KeyId::new(bytes[ActionId::BYTES]), signature }))
    }

    /// The action.
    #[must_use]
    pub fn id(&self) -> ActionId {
        self.id
    }

    /// Which key signed.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Which arguments clients send with this reference.
    #[must_use]
    pub fn info(&self) -> InfoByte {
        self.id.info()
    }

    /// The bytes: id, key id, signature.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..ActionId::BYTES].copy_from_slice(self.id.as_bytes());
        bytes[ActionId::BYTES] = self.key_id.get();
        bytes[ActionId::BYTES + 1..].copy_from_slice(&self.signature);
        bytes
    }
}

/// Names the first character that keeps `text` from being lower-case hex.
fn first_wrong_digit(text: &str) -> ReferenceError {
    let wrong = text.bytes().enumerate().find(|(_, byte)| !matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match wrong {
        Some((offset_bytes, b'A'..=b'F')) => ReferenceError::UpperCase { offset_bytes },
        Some((offset_bytes, _)) => ReferenceError::Digit { offset_bytes },
        // Not reached: the decoder refuses exactly those characters.
        None => ReferenceError::Length { bytes: text.len() },
    }
}

impl fmt::Display for ActionReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; Self::DIGITS];
        let text = faster_hex::hex_encode(&self.to_bytes(), &mut digits);
        f.write_str(text.expect("the buffer has two digits per byte"))
    }
}

impl fmt::Debug for ActionReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A reference as it came in: well-formed, and good for nothing but being verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnverifiedReference(ActionReference);

impl UnverifiedReference {
    /// Checks the signature, in the same time whichever key is named and whatever is wrong.
    ///
    /// # Errors
    ///
    /// [`ReferenceError::OtherBuild`] if the signature is genuine, but of a build that this is not;
    /// [`ReferenceError::BadSignature`] if no key of the ring made it.
    pub fn verify(self, ring: &KeyRing) -> Result<Verified<ActionReference>, ReferenceError> {
        let Self(reference) = self;
        let ActionReference { id, key_id, signature } = reference;
        let found = ring.find(key_id);
        match found.verify(&found.key.references, &[id.as_bytes(), &[key_id.get()]], &signature) {
            Verification::Current => Ok(Verified(reference)),
            Verification::OtherBuild => Err(ReferenceError::OtherBuild { id, key_id }),
            Verification::Bad => Err(ReferenceError::BadSignature { key_id }),
        }
    }
}

impl KeyRing {
    /// Verifies a reference; the same as [`UnverifiedReference::verify`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn verify(
        &self,
        reference: UnverifiedReference,
    ) -> Result<Verified<ActionReference>, ReferenceError> {
        reference.verify(self)
    }
}

/// Something that came with a genuine signature of a current key: only this module makes one.
///
/// What decodes a call takes nothing else, so that forgetting to verify does not compile. Neither does this:
///
/// ```compile_fail
/// let forged = callboard_protocol::reference::Verified("any text");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Carries the fact over to what is made of the value, for instance the call that the reference came with.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Verified<U> {
        Verified(make(self.0))
    }

    /// Gives the value up, and the fact with it.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Why a text does not name an action that may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Not 76 digits.
    #[error("the reference has {bytes} characters, not {expected}", expected = ActionReference::DIGITS)]
    Length {
        /// Of the text.
        bytes: usize,
    },
    /// A hex digit in upper case.
    #[error("the reference has an upper-case digit at {offset_bytes}")]
    UpperCase {
        /// Of the first one.
        offset_bytes: usize,
    },
    /// A character that is not a hex digit.
    #[error("the reference has a character that is not a hex digit at {offset_bytes}")]
    Digit {
        /// Of the first one.
        offset_bytes: usize,
    },
    /// The info byte is that of a `"use cache"` function.
    #[error("the reference does not name an action")]
    NotAnAction,
    /// No key of the ring made the signature. An unknown key id is not told apart from a wrong signature.
    #[error("the reference was not signed with key {key_id} of this ring")]
    BadSignature {
        /// The key that the reference names.
        key_id: KeyId,
    },
    /// Signed with the key of another build of this application: a genuine reference, but not of ours.
    #[error("the reference to action {id} was signed by another build, with key {key_id}")]
    OtherBuild {
        /// The action, which another node may still have.
        id: ActionId,
        /// Whose key signed.
        key_id: KeyId,
    },
}

impl ReferenceError {
    /// How the call is answered.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Length { .. } | Self::UpperCase { .. } | Self::Digit { .. } | Self::NotAnAction => {
                ErrorCode::MalformedReference
            }
            Self::BadSignature { .. } => ErrorCode::BadSignature,
            Self::OtherBuild { .. } => ErrorCode::UnknownAction,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEW: [u8; 32] = [7; 32];
    const OLD: [u8; 32] = [9; 32];

    fn ring(id: u8, secret: [u8; 32]) -> KeyRing {
        KeyRing::generate(KeyId::new(id), secret)
    }

    fn action() -> ActionId {
        ActionId::derive(b"guestbook", "guestbook::sign", InfoByte::for_arguments(2))
    }

    fn verify(text: &str, ring: &KeyRing) -> Result<ActionReference, ReferenceError> {
        Ok(ActionReference::parse(text)?.verify(ring)?.into_inner())
    }

    /// Goal: references in open pages survive every upgrade of this crate. The text was computed with
    /// another implementation (OpenSSL's HKDF and HMAC), so that it does not only repeat what the code does.
    #[test]
    fn a_reference_is_the_same_for_ever() {
        let text = ActionReference::sign(&ring(1, NEW), action()).to_string();
        assert_eq!(text, "60c2335f898baa5a8b5fe7f401cc3b33d4bd78d219015a5bc86be8449e1800b2e6285432ddea");
    }

    #[test]
    fn a_rotated_key_still_verifies() {
        let old = ActionReference::sign(&ring(1, OLD), action());
        let both =
            KeyRing::parse(&format!("{},{}", *ring(2, NEW).to_text(), *ring(1, OLD).to_text())).unwrap();

        assert_eq!(verify(&old.to_string(), &both), Ok(old));
        assert_eq!(ActionReference::sign(&both, action()).key_id(), KeyId::new(2));
    }

    #[test]
    fn a_reference_of_another_build_is_skew_and_not_tampering() {
        let other = ActionReference::sign(&ring(1, OLD), action());
        let ring = ring(2, NEW).with_other_builds(&ring(1, OLD).to_text()).unwrap();

        let refused = verify(&other.to_string(), &ring).unwrap_err();

        assert_eq!(refused, ReferenceError::OtherBuild { id: action(), key_id: KeyId::new(1) });
        assert_eq!(refused.code(), ErrorCode::UnknownAction);
        let mut forged = other;
        forged.signature[15] ^= 1;
        assert_eq!(verify(&forged.to_string(), &ring).unwrap_err().code(), ErrorCode::BadSignature);
    }

    #[test]
    fn an_unknown_key_and_a_wrong_signature_are_refused_alike() {
        let ours = ring(1, NEW);
        for foreign in [ring(1, OLD), ring(2, NEW), ring(2, OLD)] {
            let reference = ActionReference::sign(&foreign, action());
            let refused = verify(&reference.to_string(), &ours).unwrap_err();
            assert_eq!(refused, ReferenceError::BadSignature { key_id: foreign.signing_key_id() });
            assert_eq!(refused.code(), ErrorCode::BadSignature);
        }
    }

    /// Goal: the key that stands in for unknown ids opens nothing. Method: sign with it.
    #[test]
    fn a_signature_of_the_decoy_is_refused() {
        let ring = ring(1, NEW);
        let decoy = ring.find(KeyId::new(200)).key;
        let signature = sign(&decoy.references, &[action().as_bytes(), &[200]]);
        let forged = ActionReference { id: action(), key_id: KeyId::new(200), signature };
        assert_eq!(
            verify(&forged.to_string(), &ring),
            Err(ReferenceError::BadSignature { key_id: KeyId::new(200) })
        );
    }

    #[test]
    fn each_malformed_text_says_what_is_wrong() {
        let good = ActionReference::sign(&ring(1, NEW), action()).to_string();
        let with = |offset: usize, digit: &str| {
            let mut text = good.clone();
            text.replace_range(offset..=offset, digit);
            ActionReference::parse(&text).unwrap_err()
        };
        assert_eq!(with(3, "F"), ReferenceError::UpperCase { offset_bytes: 3 });
        assert_eq!(with(75, "g"), ReferenceError::Digit { offset_bytes: 75 });
        assert_eq!(with(0, "x"), ReferenceError::Digit { offset_bytes: 0 });
        assert_eq!(with(0, "8"), ReferenceError::NotAnAction);
        assert_eq!(with(9, "é"), ReferenceError::Length { bytes: 77 });
        for text in ["", "x", &good[..42], &good[1..], &format!("{good}0")] {
            let refused = ActionReference::parse(text).unwrap_err();
            assert_eq!(refused, ReferenceError::Length { bytes: text.len() });
            assert_eq!(refused.code(), ErrorCode::MalformedReference);
        }
    }

    #[test]
    fn what_is_made_of_a_verified_value_is_verified() {
        let ring = ring(1, NEW);
        let text = ActionReference::sign(&ring, action()).to_string();
        let call = ActionReference::parse(&text).unwrap().verify(&ring).unwrap().map(|name| (name, "body"));
        let (name, body) = call.into_inner();
        assert_eq!((name.id(), body), (action(), "body"));
    }

    proptest! {
        #[test]
        fn a_signed_reference_prints_parses_and_verifies_to_itself(
            secret: [u8; 32], key_id: u8, mut id: [u8; 21],
        ) {
            id[0] &= 0x7f;
            let ring = ring(key_id, secret);
            let reference = ActionReference::sign(&ring, ActionId::from_bytes(id).unwrap());
            let text = reference.to_string();
            prop_assert_eq!(text.len(), ActionReference::DIGITS);
            prop_assert_eq!(verify(&text, &ring), Ok(reference));
            prop_assert_eq!(ring.verify(ActionReference::parse(&text).unwrap()).map(|r| *r), Ok(reference));
        }

        #[test]
        fn a_reference_with_any_bit_flipped_is_refused(
            secret: [u8; 32], key_id: u8, bit in 0..ActionReference::BYTES * 8,
        ) {
            let ring = ring(key_id, secret);
            let mut bytes = ActionReference::sign(&ring, action()).to_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(verify(&faster_hex::hex_string(&bytes), &ring).is_err());
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,100}|[0-9a-fA-Fg]{76}") {
            let _ = ActionReference::parse(&text);
        }
    }
}
