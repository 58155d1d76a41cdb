//! The text form of a ring: `id:base64,id:base64`.

use data_encoding::BASE64;
use zeroize::{Zeroize, Zeroizing};

use super::{Key, KeyId};

/// Why a text is not a key ring. Never holds key material, only ids and positions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// No key at all.
    #[error("the key ring is empty; `keys new` prints one")]
    Empty,
    /// An entry between two commas is empty.
    #[error("entry {entry} of the key ring is empty")]
    EmptyEntry {
        /// Counted from 1.
        entry: usize,
    },
    /// An entry has no colon.
    #[error("entry {entry} of the key ring is not of the form id:base64")]
    NoId {
        /// Counted from 1.
        entry: usize,
    },
    /// What stands before the colon is not a number from 0 to 255.
    #[error("the id of entry {entry} of the key ring is not a number from 0 to 255")]
    BadId {
        /// Counted from 1.
        entry: usize,
    },
    /// The key is not base64 in its canonical spelling, with padding.
    #[error("key {id} is not standard base64 with padding")]
    NotBase64 {
        /// Of which key.
        id: KeyId,
    },
    /// The key has another length than 32 bytes.
    #[error("key {id} has {bytes} bytes, not {expected}", expected = Key::BYTES)]
    Length {
        /// Of which key.
        id: KeyId,
        /// As decoded.
        bytes: usize,
    },
    /// Two keys have the same id.
    #[error("key id {id} stands for two keys")]
    DuplicateId {
        /// Which id.
        id: KeyId,
    },
    /// Two ids have the same key, so rotating from one to the other would rotate nothing.
    #[error("key ids {first} and {second} stand for the same key")]
    SameKey {
        /// The id that comes first.
        first: KeyId,
        /// The other one.
        second: KeyId,
    },
}

pub(super) fn parse(text: &str) -> Result<Vec<Key>, KeyRingError> {
    if text.trim().is_empty() {
        return Err(KeyRingError::Empty);
    }
    let mut keys = Vec::new();
    let mut seen = [false; 256];
    for (place, entry) in text.split(',').enumerate() {
        let key = parse_entry(place + 1, entry.trim())?;
        if std::mem::replace(&mut seen[usize::from(key.id().get())], true) {
            return Err(KeyRingError::DuplicateId { id: key.id() });
        }
        keys.push(key);
    }
    Ok(keys)
}

fn parse_entry(entry: usize, text: &str) -> Result<Key, KeyRingError> {
    if text.is_empty() {
        return Err(KeyRingError::EmptyEntry { entry });
    }
    let (id, encoded) = text.split_once(':').ok_or(KeyRingError::NoId { entry })?;
    // `parse` alone would take a sign and leading zeros, and one key would have several spellings.
    let id: u8 = id
        .parse()
        .ok()
        .filter(|number: &u8| number.to_string() == id)
        .ok_or(KeyRingError::BadId { entry })?;
    let id = KeyId::new(id);
    let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| KeyRingError::NotBase64 { id })?;
    let bytes = Zeroizing::new(bytes);
    let mut secret = Zeroizing::new([0; Key::BYTES]);
    if bytes.len() != secret.len() {
        return Err(KeyRingError::Length { id, bytes: bytes.len() });
    }
    secret.copy_from_slice(&bytes);
    Ok(Key::new(id, secret))
}

pub(super) fn write<'a>(keys: impl ExactSizeIterator<Item = &'a Key>) -> Zeroizing<String> {
    // Room for every key from the start: growing would leave copies of the secrets behind.
    let entry_bytes = "255:,".len() + BASE64.encode_len(Key::BYTES);
    let mut text = Zeroizing::new(String::with_capacity(keys.len() * entry_bytes));
    for key in keys {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&key.id().to_string());
        text.push(':');
        let mut encoded = BASE64.encode(key.secret());
        text.push_str(&encoded);
        encoded.zeroize();
    }
    text
}
