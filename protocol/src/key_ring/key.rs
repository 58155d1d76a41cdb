//! One key and everything derived from it.

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::sealing::Cipher;

/// Stands for the application in HKDF's extract step; the labels below set the subkeys apart.
const EXTRACT_SALT: &[u8] = b"callboard key ring v1";

/// Names one key of a ring; it stands in clear in references and sealed texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(u8);

impl KeyId {
    /// The key id with this number.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        self.0
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Tells two keys apart without revealing either: eight bytes that follow from the key, but not the other way round.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 8]);

impl Fingerprint {
    /// As members tell it each other.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        u64::from_be_bytes(self.0)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key with its subkeys ready for use. Every field that holds a secret is wiped when dropped.
pub(crate) struct Key {
    id: KeyId,
    secret: Zeroizing<[u8; Key::BYTES]>,
    fingerprint: Fingerprint,
    /// Keyed, so that a signature costs the compressions of its message and one more.
    pub(crate) references: Hmac<Sha256>,
    pub(crate) arguments: Cipher,
    pub(crate) signed_cookies: Hmac<Sha256>,
    pub(crate) sealed_cookies: Cipher,
}

impl Key {
    pub(crate) const BYTES: usize = 32;

    pub(crate) fn new(id: KeyId, secret: Zeroizing<[u8; Self::BYTES]>) -> Self {
        let [references, arguments, signed_cookies, sealed_cookies] =
            [&b"sign references"[..], b"seal arguments", b"sign cookies", b"seal cookies"]
                .map(|label| subkey(&secret, label));
        let mut fingerprint = [0; 8];
        fingerprint.copy_from_slice(&subkey(&secret, b"fingerprint")[..8]);
        Self {
            id,
            fingerprint: Fingerprint(fingerprint),
            references: keyed(&references),
            arguments: Cipher::new(&arguments),
            signed_cookies: keyed(&signed_cookies),
            sealed_cookies: Cipher::new(&sealed_cookies),
            secret,
        }
    }

    /// What is worked with when a key id is unknown. Its subkeys are as secret as this key's.
    pub(crate) fn decoy(&self) -> Self {
        Self::new(self.id, subkey(&self.secret, b"decoy"))
    }

    pub(crate) fn build_salt(&self) -> Zeroizing<[u8; 32]> {
        subkey(&self.secret, b"build salt")
    }

    pub(crate) fn id(&self) -> KeyId {
        self.id
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    pub(super) fn secret(&self) -> &[u8; Self::BYTES] {
        &self.secret
    }

    pub(crate) fn same_secret(&self, other: &Self) -> bool {
        self.secret.as_slice().ct_eq(other.secret.as_slice()).into()
    }
}

fn subkey(secret: &[u8; Key::BYTES], label: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut subkey = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(EXTRACT_SALT), secret)
        .expand(label, subkey.as_mut_slice())
        .expect("HKDF-SHA-256 gives up to 8160 bytes");
    subkey
}

fn keyed(subkey: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::new_from_slice(subkey).expect("HMAC takes keys of every length")
}
