//! The keys of an application: one signs, all of them verify.
//!
//! Every purpose has a subkey of its own, derived once when the ring is built, so that what is made for one purpose is
//! worth nothing for another and a call costs no key schedule.

mod key;
mod text;

use std::{fmt, sync::Arc};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

pub(crate) use key::Key;
pub use key::{Fingerprint, KeyId};
pub use text::KeyRingError;

/// Bytes of a signature on the wire: HMAC-SHA-256 cut to 128 bits.
pub(crate) const SIGNATURE_BYTES: usize = 16;

/// An ordered set of keys.
///
/// The *current* keys are those of `CALLBOARD_KEYS`, or the one of this build; the first of them signs and seals, all
/// of them verify and open. The keys of *other builds* only verify: what they signed is genuine, but made by a build
/// that this is not, so it is answered as version skew and not as tampering.
///
/// Secrets are wiped when the last clone is dropped, and are absent from `Debug` and from every error.
///
/// Invariant: no two keys of a ring share an id, and no two ids a key.
#[derive(Clone)]
pub struct KeyRing {
    /// The current keys in their order, then those of other builds, then the decoy; shared by the clones.
    keys: Vec<Arc<Key>>,
    current: usize,
    /// Place in `keys` by key id; the decoy's for ids that the ring does not have.
    place_of: Box<[u16; 256]>,
}

/// What a ring says about a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verification {
    /// Signed with a current key.
    Current,
    /// Signed with the key of another build.
    OtherBuild,
    /// Not signed with any key of the ring.
    Bad,
}

/// A key found by id; the decoy if there is none, so that both cost the same.
pub(crate) struct Found<'a> {
    pub(crate) key: &'a Key,
    place: usize,
    ring: &'a KeyRing,
}

impl Found<'_> {
    /// What it means that `genuine` holds under this key. Nothing is genuine under the decoy.
    pub(crate) fn verification(&self, genuine: bool) -> Verification {
        if !genuine || self.place == self.ring.decoy() {
            Verification::Bad
        } else if self.place < self.ring.current {
            Verification::Current
        } else {
            Verification::OtherBuild
        }
    }

    /// Checks the signature of `message`. The work depends on the length of the message alone.
    pub(crate) fn verify(
        &self,
        state: &Hmac<Sha256>,
        message: &[&[u8]],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Verification {
        let mut mac = state.clone();
        for part in message {
            mac.update(part);
        }
        self.verification(mac.verify_truncated_left(signature).is_ok())
    }
}

/// Signs `message` with a prepared HMAC state.
pub(crate) fn sign(state: &Hmac<Sha256>, message: &[&[u8]]) -> [u8; SIGNATURE_BYTES] {
    let mut mac = state.clone();
    for part in message {
        mac.update(part);
    }
    let full = mac.finalize().into_bytes();
    let mut signature = [0; SIGNATURE_BYTES];
    signature.copy_from_slice(&full[..SIGNATURE_BYTES]);
    signature
}

impl KeyRing {
    /// Reads the format of `CALLBOARD_KEYS`: `id:base64(32 bytes)`, separated by commas; the first signs.
    ///
    /// ```
    /// # use callboard_protocol::key_ring::{KeyId, KeyRing};
    /// let ring = KeyRing::parse("7:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")?;
    /// assert_eq!(ring.signing_key_id(), KeyId::new(7));
    /// # Ok::<(), callboard_protocol::key_ring::KeyRingError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`KeyRingError`] says which entry is wrong and why, and never repeats any of it but its id.
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        Self::build(text::parse(text)?, Vec::new())
    }

    /// A ring of one new key; `random` comes from the system's source of randomness.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "one key has no duplicate")]
    pub fn generate(id: KeyId, random: [u8; 32]) -> Self {
        let key = Key::new(id, Zeroizing::new(random));
        Self::build(vec![key], Vec::new()).expect("one key has no duplicate")
    }

    /// Adds keys of other builds, in the same format; they verify, but never sign.
    ///
    /// A key that the ring has already, id and all, is skipped, so the list may hold this build's own.
    ///
    /// # Errors
    ///
    /// [`KeyRingError`] as in [`Self::parse`]; [`KeyRingError::DuplicateId`] if an id names two different keys.
    pub fn with_other_builds(self, text: &str) -> Result<Self, KeyRingError> {
        let mut others = self.keys[self.current..self.decoy()].to_vec();
        for key in text::parse(text)? {
            let same = |known: &&Arc<Key>| known.id() == key.id() && known.same_secret(&key);
            if self.keys[..self.decoy()].iter().find(same).is_none() {
                others.push(Arc::new(key));
            }
        }
        Self::index(self.keys[..self.current].to_vec(), others)
    }

    fn build(current: Vec<Key>, others: Vec<Key>) -> Result<Self, KeyRingError> {
        let shared = |keys: Vec<Key>| keys.into_iter().map(Arc::new).collect();
        Self::index(shared(current), shared(others))
    }

    fn index(current: Vec<Arc<Key>>, others: Vec<Arc<Key>>) -> Result<Self, KeyRingError> {
        let first = current.first().ok_or(KeyRingError::Empty)?;
        let decoy = Arc::new(first.decoy());
        let current_count = current.len();
        let mut keys = current;
        keys.extend(others);
        let decoy_place = keys.len() as u16;
        let mut place_of = Box::new([decoy_place; 256]);
        for (place, key) in keys.iter().enumerate() {
            let slot = &mut place_of[usize::from(key.id().get())];
            if *slot != decoy_place {
                return Err(KeyRingError::DuplicateId { id: key.id() });
            }
            if let Some(twin) = keys[..place].iter().find(|other| other.same_secret(key)) {
                return Err(KeyRingError::SameKey { first: twin.id(), second: key.id() });
            }
            *slot = place as u16;
        }
        keys.push(decoy);
        Ok(Self { keys, current: current_count, place_of })
    }

    fn decoy(&self) -> usize {
        self.keys.len() - 1
    }

    pub(crate) fn find(&self, id: KeyId) -> Found<'_> {
        let place = usize::from(self.place_of[usize::from(id.get())]);
        Found { key: &self.keys[place], place, ring: self }
    }

    pub(crate) fn signing_key(&self) -> &Key {
        &self.keys[0]
    }

    /// The id of the key that signs and seals.
    #[must_use]
    pub fn signing_key_id(&self) -> KeyId {
        self.signing_key().id()
    }

    /// The current keys as `CALLBOARD_KEYS` takes them; keys of other builds are left out.
    ///
    /// The text is the secret itself: print it only where the user asked for it. It is wiped when dropped.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        text::write(self.keys[..self.current].iter().map(AsRef::as_ref))
    }

    /// The id and fingerprint of every key, current ones first: what two nodes compare to see whether they agree.
    pub fn fingerprints(&self) -> impl Iterator<Item = (KeyId, Fingerprint)> + '_ {
        self.keys[..self.decoy()].iter().map(|key| (key.id(), key.fingerprint()))
    }

    /// The salt of action ids for an application without configured keys: it changes with the signing key.
    ///
    /// With configured keys the salt is the application's name instead, so that a rotation changes no id.
    #[must_use]
    pub fn build_salt(&self) -> Zeroizing<[u8; 32]> {
        self.signing_key().build_salt()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.fingerprints()).finish()
    }
}

impl PartialEq for KeyRing {
    /// Whether both hold the same keys in the same order, compared in constant time.
    fn eq(&self, other: &Self) -> bool {
        self.current == other.current
            && self.keys.len() == other.keys.len()
            && self
                .keys
                .iter()
                .zip(&other.keys)
                .all(|(one, two)| one.id() == two.id() && one.same_secret(two))
    }
}

impl Eq for KeyRing {}

#[cfg(test)]
mod tests;
