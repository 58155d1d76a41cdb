//! Texts that may name an action, and the keys that would have signed them.

use std::sync::LazyLock;

use callboard_protocol::{ActionReference, KeyRing, action_id::ActionId, key_ring::KeyId, sealing};

use super::checks;

/// The ring of all targets: its secrets are no secret.
pub(crate) static RING: LazyLock<KeyRing> = LazyLock::new(|| KeyRing::generate(KeyId::new(7), [7; 32]));

/// Reads the text as everything that a client sends and a key vouches for.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match ActionReference::parse(text) {
        Err(error) => checks::short(&error),
        Ok(reference) => match reference.verify(&RING) {
            Err(error) => checks::short(&error),
            // A fuzzer does not find a signature: what is genuine is one of ours, in its only spelling.
            Ok(genuine) => {
                assert_eq!(genuine.to_string(), text);
                assert_eq!(*genuine, ActionReference::sign(&RING, genuine.id()));
            }
        },
    }
    if let Ok(id) = <[u8; ActionId::BYTES]>::try_from(bytes)
        && let Ok(id) = ActionId::from_bytes(id)
    {
        assert_eq!(id.as_bytes(), bytes);
        assert!(id.info().byte() < 0x80, "an action, and no cached function");
    }
    if let Ok(value) = sealing::verify_cookie(&RING, "name", text) {
        assert_eq!(sealing::sign_cookie(&RING, "name", value), text);
    }
    match KeyRing::parse(text) {
        Err(error) => checks::short(&error),
        Ok(ring) => assert_eq!(KeyRing::parse(&ring.to_text()).as_ref(), Ok(&ring)),
    }
}
