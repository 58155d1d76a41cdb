//! The name of one server action: 21 bytes that are the same on every node of a build.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Set apart from every other use of the same salt.
const DOMAIN: &[u8] = b"callboard action id v1\0";

/// Which arguments of a call a client sends: the first byte of an [`ActionId`].
///
/// React's and Next's clients read it from the reference before they encode: an argument whose bit is 0 is
/// replaced by `undefined`, and unused arguments at the end are cut. Bit 7 is 0 (1 marks a `"use cache"` function in
/// Next); bits 6..1 say that arguments 0..5 are used; bit 0 says that those after the sixth are. Source: next.js
/// `packages/next/src/shared/lib/server-reference-info.ts`.
///
/// Invariant: bit 7 is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InfoByte(u8);

impl InfoByte {
    /// Every argument is sent, however many there are: `7f`.
    pub const ALL: Self = Self(0x7f);

    /// Arguments that have a bit of their own.
    const SINGLE: usize = 6;

    /// The byte of an action that takes `count` arguments and uses each of them.
    #[must_use]
    pub const fn for_arguments(count: usize) -> Self {
        match count {
            0..=Self::SINGLE => Self(0x7f & !(0x7f >> count)),
            _ => Self::ALL,
        }
    }

    /// Reads the byte as it stands in a reference.
    ///
    /// # Errors
    ///
    /// [`NotAnActionId`] if bit 7 is set: Next's mark of a cached function, which nobody may call over the wire.
    pub const fn from_byte(byte: u8) -> Result<Self, NotAnActionId> {
        if byte & 0x80 == 0 { Ok(Self(byte)) } else { Err(NotAnActionId { info: byte }) }
    }

    /// The byte itself.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self.0
    }

    /// Whether a client sends the argument at `index`, counted from 0; otherwise it sends `undefined` or nothing.
    #[must_use]
    pub const fn uses(self, index: usize) -> bool {
        let bit = Self::SINGLE.saturating_sub(index);
        self.0 >> bit & 1 == 1
    }
}

/// The first byte says that this names something else than an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("info byte {info:02x} has bit 7 set, so it does not name an action")]
pub struct NotAnActionId {
    /// The byte.
    pub info: u8,
}

/// Names one server action: an [`InfoByte`] and 20 bytes of hash over the build's salt and the action's location.
///
/// Its text is 42 lower-case hex digits, as long as the ids of Next. An id alone is not callable; what clients hold is
/// an [`ActionReference`](crate::reference::ActionReference).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActionId([u8; Self::BYTES]);

impl ActionId {
    /// Length, in bytes.
    pub const BYTES: usize = 21;

    /// Names the action at `location` (`crate::module::name`, or its stable name) in the build that has this salt.
    ///
    /// The same three give the same id on every machine; another salt, location or info byte gives another id.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "HMAC takes salts of every length")]
    pub fn derive(salt: &[u8], location: &str, info: InfoByte) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(salt).expect("HMAC takes keys of every length");
        mac.update(DOMAIN);
        mac.update(location.as_bytes());
        let hash = mac.finalize().into_bytes();
        let mut id = [0; Self::BYTES];
        id[0] = info.byte();
        id[1..].copy_from_slice(&hash[..Self::BYTES - 1]);
        Self(id)
    }

    /// Takes an id that was derived elsewhere, for instance by the node that sent the call on.
    ///
    /// # Errors
    ///
    /// [`NotAnActionId`] if bit 7 of the first byte is set.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Result<Self, NotAnActionId> {
        match InfoByte::from_byte(bytes[0]) {
            Ok(_) => Ok(Self(bytes)),
            Err(not_an_action) => Err(not_an_action),
        }
    }

    /// The bytes, info byte first.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Which arguments clients send to this action.
    #[must_use]
    pub const fn info(&self) -> InfoByte {
        InfoByte(self.0[0])
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; Self::BYTES * 2];
        f.write_str(faster_hex::hex_encode(&self.0, &mut digits).expect("the buffer has two digits per byte"))
    }
}

impl fmt::Debug for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_info_byte_has_a_bit_for_each_argument_taken() {
        let bytes: Vec<u8> = (0..9).map(|count| InfoByte::for_arguments(count).byte()).collect();
        assert_eq!(bytes, [0x00, 0x40, 0x60, 0x70, 0x78, 0x7c, 0x7e, 0x7f, 0x7f]);
    }

    #[test]
    fn exactly_the_arguments_taken_are_used() {
        for count in 0..=6 {
            let info = InfoByte::for_arguments(count);
            assert!((0..100).all(|index| info.uses(index) == (index < count)), "{count} arguments");
        }
        assert!((0..100).all(|index| InfoByte::ALL.uses(index)));
    }

    #[test]
    fn a_byte_with_bit_7_is_refused() {
        for byte in 0..=u8::MAX {
            assert_eq!(InfoByte::from_byte(byte).is_ok(), byte < 0x80);
            assert_eq!(ActionId::from_bytes([byte; ActionId::BYTES]).is_ok(), byte < 0x80);
        }
    }

    /// Goal: ids never change by accident, since that would orphan every page in a browser.
    #[test]
    fn an_id_is_the_same_for_ever() {
        let id = ActionId::derive(b"guestbook", "guestbook::actions::sign", InfoByte::for_arguments(1));
        assert_eq!(id.to_string(), "40d17758ec6430bf09065d88c097b12a1f7daaff8e");
        assert_eq!(format!("{id:?}"), id.to_string());
    }

    #[test]
    fn salt_location_and_info_byte_each_change_the_id() {
        let derive = ActionId::derive;
        let id = derive(b"salt", "a::b", InfoByte::ALL);
        assert_ne!(id, derive(b"salu", "a::b", InfoByte::ALL));
        assert_ne!(id, derive(b"salt", "a::c", InfoByte::ALL));
        assert_ne!(id, derive(b"salt", "a::b", InfoByte::for_arguments(1)));
        assert_eq!(id, derive(b"salt", "a::b", InfoByte::ALL));
        assert_eq!(ActionId::from_bytes(*id.as_bytes()), Ok(id));
    }
}
