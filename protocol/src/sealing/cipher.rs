//! XAES-256-GCM, and the envelope of everything sealed.
//!
//! Plain AES-GCM must stop after 2^32 messages with random nonces under one key, which a busy page that binds
//! arguments reaches within days. XAES-256-GCM (C2SP specification of that name) derives a key per message from the
//! first half of a 24-byte nonce with two AES blocks, and is good for 2^80.

use aes_gcm::{
    AeadInOut, Aes256Gcm,
    aes::{
        Aes256,
        cipher::{BlockCipherEncrypt, KeyInit},
    },
};
use data_encoding::BASE64URL_NOPAD;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::key_ring::{Key, KeyId, KeyRing, Verification};

/// Random bytes that each sealing needs.
pub const NONCE_BYTES: usize = 24;

/// Of the nonce, what the key of the message is derived from; the rest is the nonce of AES-GCM.
const DERIVING_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Key id and nonce, in clear.
const HEAD_BYTES: usize = 1 + NONCE_BYTES;

/// A key for XAES-256-GCM; wiped when dropped.
pub(crate) struct Cipher {
    aes: Aes256,
    /// The first subkey of CMAC, K1.
    mask: Zeroizing<[u8; 16]>,
}

/// Both fields are, and so is the key of each message.
impl ZeroizeOnDrop for Cipher where Aes256: ZeroizeOnDrop {}

impl Cipher {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let aes = Aes256::new(key.into());
        let mut block = [0; 16].into();
        aes.encrypt_block(&mut block);
        let doubled = u128::from_be_bytes(block.into());
        // Doubling in GF(2^128): the bit that falls out comes back as the field's polynomial.
        let doubled = (doubled << 1) ^ (0x87 * (doubled >> 127));
        block.as_mut_slice().zeroize();
        Self { aes, mask: Zeroizing::new(doubled.to_be_bytes()) }
    }

    /// The AES-GCM key of the messages whose nonces begin like this one: CMAC in counter mode, two blocks.
    fn of_message(&self, nonce: &[u8; NONCE_BYTES]) -> Aes256Gcm {
        let mut key = Zeroizing::new([0; 32]);
        for (counter, half) in (1..).zip(key.chunks_exact_mut(16)) {
            let mut block = [0; 16];
            block[..4].copy_from_slice(&[0, counter, b'X', 0]);
            block[4..].copy_from_slice(&nonce[..DERIVING_BYTES]);
            block.iter_mut().zip(self.mask.iter()).for_each(|(byte, mask)| *byte ^= mask);
            let mut block = block.into();
            self.aes.encrypt_block(&mut block);
            half.copy_from_slice(&block);
            block.as_mut_slice().zeroize();
        }
        Aes256Gcm::new((&*key).into())
    }

    /// Encrypts in place and gives the tag.
    pub(super) fn encrypt(
        &self,
        nonce: &[u8; NONCE_BYTES],
        context: &[u8],
        message: &mut [u8],
    ) -> [u8; TAG_BYTES] {
        let tag = self.of_message(nonce).encrypt_inout_detached(gcm_nonce(nonce), context, message.into());
        tag.expect("AES-GCM takes 64 GiB, which is more than fits a body").into()
    }

    /// Decrypts in place if the tag is right; otherwise leaves the message as it is and says false.
    fn decrypt(
        &self,
        nonce: &[u8; NONCE_BYTES],
        context: &[u8],
        message: &mut [u8],
        tag: &[u8; TAG_BYTES],
    ) -> bool {
        let cipher = self.of_message(nonce);
        cipher.decrypt_inout_detached(gcm_nonce(nonce), context, message.into(), tag.into()).is_ok()
    }
}

fn gcm_nonce(nonce: &[u8; NONCE_BYTES]) -> &aes_gcm::Nonce<aes_gcm::aes::cipher::consts::U12> {
    nonce[DERIVING_BYTES..].try_into().expect("the nonce is what is left")
}

/// Seals what `write` appends: base64url of key id, nonce, ciphertext and tag.
pub(super) fn seal(
    ring: &KeyRing,
    purpose: fn(&Key) -> &Cipher,
    context: &[u8],
    nonce: &[u8; NONCE_BYTES],
    message_bytes: usize,
    write: impl FnOnce(&mut Vec<u8>),
) -> String {
    let key = ring.signing_key();
    let mut sealed = Vec::with_capacity(HEAD_BYTES + message_bytes + TAG_BYTES);
    sealed.push(key.id().get());
    sealed.extend_from_slice(nonce);
    write(&mut sealed);
    let tag = purpose(key).encrypt(nonce, context, &mut sealed[HEAD_BYTES..]);
    sealed.extend_from_slice(&tag);
    BASE64URL_NOPAD.encode(&sealed)
}

/// Opens what [`seal`] sealed with any key of the ring, in the same time whichever key it names.
pub(super) fn open(
    ring: &KeyRing,
    purpose: fn(&Key) -> &Cipher,
    context: &[u8],
    text: &str,
) -> Option<Vec<u8>> {
    let mut sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    let (head, rest) = sealed.split_first_chunk_mut::<HEAD_BYTES>()?;
    let (message, tag) = rest.split_last_chunk_mut::<TAG_BYTES>()?;
    let (key_id, nonce) = head.split_first()?;
    let nonce: &[u8; NONCE_BYTES] = nonce.try_into().ok()?;

    let found = ring.find(KeyId::new(*key_id));
    let genuine = purpose(found.key).decrypt(nonce, context, message, tag);
    match found.verification(genuine) {
        Verification::Current | Verification::OtherBuild => {
            sealed.truncate(sealed.len() - TAG_BYTES);
            sealed.drain(..HEAD_BYTES);
            Some(sealed)
        }
        Verification::Bad => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two vectors of the specification, C2SP `XAES-256-GCM.md`.
    #[test]
    fn the_cipher_gives_the_bytes_of_its_specification() {
        let nonce = b"ABCDEFGHIJKLMNOPQRSTUVWX";
        for (key, context, ciphertext) in [
            ([1; 32], "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
            ([3; 32], "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
        ] {
            let mut message = *b"XAES-256-GCM";
            let cipher = Cipher::new(&key);
            let tag = cipher.encrypt(nonce, context.as_bytes(), &mut message);
            assert_eq!(faster_hex::hex_string(&[&message[..], &tag].concat()), ciphertext);

            assert!(!cipher.decrypt(nonce, b"other", &mut message, &tag));
            assert!(cipher.decrypt(nonce, context.as_bytes(), &mut message, &tag));
            assert_eq!(&message, b"XAES-256-GCM");
        }
    }
}
