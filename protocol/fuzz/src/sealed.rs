//! Texts that may be sealed arguments, and sealed arguments that were tampered with.

use std::sync::LazyLock;

use callboard_protocol::{
    ActionReference,
    action_id::{ActionId, InfoByte},
    sealing::{self, NONCE_BYTES, SealError, SealOptions},
};

use super::reference::RING;

pub(crate) const NOW_MS: u64 = 1_000_000;

/// The action that everything here is sealed for.
pub(crate) static REFERENCE: LazyLock<ActionReference> =
    LazyLock::new(|| ActionReference::sign(&RING, ActionId::derive(b"salt", "fuzz", InfoByte::ALL)));

/// Opens the bytes as they are; then seals them, and opens that after one change.
pub fn run(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        match sealing::open(&RING, &REFERENCE, text, NOW_MS, Some("ann")) {
            // A fuzzer does not find a tag: what opens was sealed by the seeds, and those all hold a text.
            Ok(message) => assert!(message.starts_with(b"seed"), "{text} was opened"),
            Err(SealError::NotGenuine | SealError::Expired { .. } | SealError::OtherPrincipal) => {}
        }
        let _ = sealing::open_cookie(&RING, "name", text);
    }

    let [at, bit, options, message @ ..] = bytes else { return };
    let options = SealOptions {
        expires_at_ms: (options & 1 == 1).then_some(NOW_MS + 1),
        principal: (options & 2 == 2).then_some("ann"),
    };
    let sealed = sealing::seal(&RING, &REFERENCE, message, options, [*at; NONCE_BYTES]);
    let opened = sealing::open(&RING, &REFERENCE, &sealed, NOW_MS, Some("ann"));
    assert_eq!(opened.as_deref(), Ok(message));

    let mut changed = sealed.into_bytes();
    let at = usize::from(*at) % changed.len();
    changed[at] ^= 1 << (bit % 7);
    let changed = String::from_utf8(changed).expect("seven bits are text");
    let opened = sealing::open(&RING, &REFERENCE, &changed, NOW_MS, Some("ann"));
    assert_eq!(opened, Err(SealError::NotGenuine), "changed at {at}");
}
