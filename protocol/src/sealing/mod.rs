//! Sealing: what a page hands to the browser and wants back unread and unaltered.
//!
//! Arguments bound to an action while a page is rendered travel through the browser. Sealed, they can be neither read
//! nor altered there, nor moved to another action, nor, if the page asked for it, used later or by somebody else.
//! Cookies that the browser keeps for the application are [signed](sign_cookie) or [sealed](seal_cookie) likewise, and
//! the [nonces of forms](sign_form_nonce) are signed.

mod cipher;
mod cookie;
mod nonce;

use subtle::ConstantTimeEq;

pub(crate) use cipher::Cipher;
pub use cipher::NONCE_BYTES;
pub use cookie::{BadCookie, open_cookie, seal_cookie, sign_cookie, verify_cookie};
pub use nonce::{FORM_NONCE_CHARACTERS, FORM_NONCE_RANDOM_BYTES, sign_form_nonce, verify_form_nonce};

use crate::{ErrorCode, key_ring::KeyRing, reference::ActionReference};

/// Stands before the reference in the associated data; goes up when what is sealed changes its form.
const VERSION: u8 = 1;

/// Flags, the first sealed byte.
const EXPIRES: u8 = 1;
const HAS_PRINCIPAL: u8 = 2;

/// What is sealed along with the arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SealOptions<'a> {
    /// The arguments are refused from this instant on, in milliseconds since 1970. `None`: never.
    pub expires_at_ms: Option<u64>,
    /// The only principal whose calls may carry the arguments. `None`: anybody's.
    pub principal: Option<&'a str>,
}

/// Why sealed arguments are refused. The client is told [`SealError::code`] whichever it is; the rest is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Altered, sealed for another action, or not sealed by a key of the ring.
    #[error("the sealed arguments are not genuine, or were sealed for another action")]
    NotGenuine,
    /// Genuine, but too late.
    #[error("the sealed arguments expired at {expires_at_ms} ms, and it is {now_ms} ms")]
    Expired {
        /// When, in milliseconds since 1970.
        expires_at_ms: u64,
        /// The time that was passed in.
        now_ms: u64,
    },
    /// Genuine, but sealed for another principal than the caller.
    #[error("the sealed arguments were sealed for another principal")]
    OtherPrincipal,
}

impl SealError {
    /// How the call is answered, one answer for all reasons: [`ErrorCode::BadSeal`].
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        ErrorCode::BadSeal
    }
}

/// Seals `plaintext` for calls of `reference`, with the ring's first key.
///
/// The text is base64url without padding: key id (1 byte), nonce (24), ciphertext, tag (16); the cipher is
/// XAES-256-GCM with the version and the reference as associated data. Sealed are a byte of flags, the expiry (8 bytes,
/// little endian) and the principal (8 bytes of length, text) if there are any, and then the plaintext.
///
/// `nonce` is 24 bytes from the system's source of randomness, new for each sealing: in 2^80 sealings with one key, the
/// risk that two random nonces meet is one in 2^32.
#[must_use]
pub fn seal(
    ring: &KeyRing,
    reference: &ActionReference,
    plaintext: &[u8],
    options: SealOptions<'_>,
    nonce: [u8; NONCE_BYTES],
) -> String {
    let message_bytes = 1 + 8 + 8 + options.principal.map_or(0, str::len) + plaintext.len();
    cipher::seal(
        ring,
        |key| &key.arguments,
        &context(reference),
        &nonce,
        message_bytes,
        |message| {
            write(message, options, plaintext);
        },
    )
}

/// Opens what [`seal`] sealed for this reference, with whichever key of the ring did it.
///
/// `principal` is who calls. An unknown key id and a wrong key take the same time.
///
/// # Errors
///
/// [`SealError`]; the client is not told which.
pub fn open(
    ring: &KeyRing,
    reference: &ActionReference,
    text: &str,
    now_ms: u64,
    principal: Option<&str>,
) -> Result<Vec<u8>, SealError> {
    let mut message =
        cipher::open(ring, |key| &key.arguments, &context(reference), text).ok_or(SealError::NotGenuine)?;
    let (options, plaintext) = read(&message).ok_or(SealError::NotGenuine)?;
    if let Some(expires_at_ms) = options.expires_at_ms
        && now_ms >= expires_at_ms
    {
        return Err(SealError::Expired { expires_at_ms, now_ms });
    }
    if let Some(sealed_for) = options.principal {
        let same = principal.is_some_and(|caller| caller.as_bytes().ct_eq(sealed_for.as_bytes()).into());
        if !same {
            return Err(SealError::OtherPrincipal);
        }
    }
    let plaintext_starts = message.len() - plaintext.len();
    message.drain(..plaintext_starts);
    Ok(message)
}

/// The associated data: everything that the sealed text holds for and that is not inside.
fn context(reference: &ActionReference) -> [u8; 1 + ActionReference::BYTES] {
    let mut context = [VERSION; 1 + ActionReference::BYTES];
    context[1..].copy_from_slice(&reference.to_bytes());
    context
}

/// Appends the sealed message: flags, options, plaintext.
fn write(message: &mut Vec<u8>, options: SealOptions<'_>, plaintext: &[u8]) {
    let flags_at = message.len();
    message.push(0);
    if let Some(expires_at_ms) = options.expires_at_ms {
        message[flags_at] |= EXPIRES;
        message.extend_from_slice(&expires_at_ms.to_le_bytes());
    }
    if let Some(principal) = options.principal {
        message[flags_at] |= HAS_PRINCIPAL;
        message.extend_from_slice(&(principal.len() as u64).to_le_bytes());
        message.extend_from_slice(principal.as_bytes());
    }
    message.extend_from_slice(plaintext);
}

/// Splits an authentic message into its options and the plaintext; `None` is a form that this version does not write.
fn read(message: &[u8]) -> Option<(SealOptions<'_>, &[u8])> {
    let (&flags, mut rest) = message.split_first()?;
    if flags & !(EXPIRES | HAS_PRINCIPAL) != 0 {
        return None;
    }
    let mut options = SealOptions::default();
    if flags & EXPIRES != 0 {
        let (expires_at_ms, tail) = rest.split_first_chunk()?;
        options.expires_at_ms = Some(u64::from_le_bytes(*expires_at_ms));
        rest = tail;
    }
    if flags & HAS_PRINCIPAL != 0 {
        let (bytes, tail) = rest.split_first_chunk()?;
        let bytes = usize::try_from(u64::from_le_bytes(*bytes)).ok()?;
        let (principal, tail) = tail.split_at_checked(bytes)?;
        options.principal = Some(std::str::from_utf8(principal).ok()?);
        rest = tail;
    }
    Some((options, rest))
}

#[cfg(test)]
mod tests;
