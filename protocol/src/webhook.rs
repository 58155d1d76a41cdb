//! Who may revalidate pages from outside: the signature of a webhook.
//!
//! The header is `t=<unix seconds>,v1=<hex HMAC-SHA-256 of t.body>`. What was signed more than five minutes ago, or is from
//! more than five minutes ahead, is refused; within that time the same request may come again, which does no harm.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How far the time of a signature may be from that of the node, in seconds.
pub const WINDOW_S: u64 = 300;

/// Why a request is not signed. The client is told which, but for a signature that is wrong no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// There is no signature, or it is of another form.
    #[error(
        "the header callboard-signature is not of the form t=<unix seconds>,v1=<hex HMAC-SHA-256 of t.body>"
    )]
    Malformed,
    /// Signed too long ago, or in the future.
    #[error("the signature is from {apart_s} seconds away; at most {WINDOW_S} are allowed")]
    Expired {
        /// How far from the node's time.
        apart_s: u64,
    },
    /// Not by this secret, or of another body.
    #[error("the signature is not of this body by this node's secret")]
    NotGenuine,
}

/// Checks that whoever knows the secret signed this body about now. Takes as long for a signature that is nearly right as
/// for any other.
///
/// # Errors
///
/// [`WebhookError`].
pub fn verify(secret: &[u8], header: &str, body: &[u8], now_s: u64) -> Result<(), WebhookError> {
    let (time, signature) =
        header.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")).ok_or(WebhookError::Malformed)?;
    let is_number = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    let signed_s: u64 = time.parse().ok().filter(|_| is_number).ok_or(WebhookError::Malformed)?;
    let mut bytes = [0; 32];
    if signature.len() != 2 * bytes.len() {
        return Err(WebhookError::Malformed);
    }
    faster_hex::hex_decode(signature.as_bytes(), &mut bytes).map_err(|_| WebhookError::Malformed)?;
    // The signature first: who cannot sign learns nothing of the node's clock.
    mac(secret, time, body).verify_slice(&bytes).map_err(|_| WebhookError::NotGenuine)?;
    let apart_s = now_s.abs_diff(signed_s);
    if apart_s > WINDOW_S { Err(WebhookError::Expired { apart_s }) } else { Ok(()) }
}

/// The header for a body that is sent at this time.
#[must_use]
pub fn sign(secret: &[u8], body: &[u8], now_s: u64) -> String {
    let signature = mac(secret, &now_s.to_string(), body).finalize().into_bytes();
    format!("t={now_s},v1={}", faster_hex::hex_string(&signature))
}

fn mac(secret: &[u8], time: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac: Hmac<Sha256> = Hmac::new_from_slice(secret).expect("HMAC takes keys of every length");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &[u8] = b"a secret of sixteen or more";

    /// As `printf '1700000000.{}' | openssl dgst -sha256 -hmac '…'` gives it.
    #[test]
    fn the_signature_is_what_others_compute() {
        let hex = "be8d935f59549ff92d35b0d08f66280fd7c7894c071284b87cf4a8e4f432a69d";
        assert_eq!(sign(SECRET, b"{}", 1_700_000_000), format!("t=1700000000,v1={hex}"));
    }

    #[test]
    fn a_signature_counts_for_five_minutes_either_way() {
        let header = sign(SECRET, b"{}", 1000);
        for now in [1000, 700, 1300] {
            assert_eq!(verify(SECRET, &header, b"{}", now), Ok(()));
        }
        for now in [699, 1301] {
            assert_eq!(verify(SECRET, &header, b"{}", now), Err(WebhookError::Expired { apart_s: 301 }));
        }
    }

    #[test]
    fn what_is_no_signature_is_told_apart() {
        let good = sign(SECRET, b"{}", 1000);
        for malformed in [
            "",
            "t=1",
            "v1=00",
            "t=,v1=00",
            "t=+1000,v1=00",
            &good[..good.len() - 1],
            &good.replace("1000", "99999999999999999999999"),
        ] {
            assert_eq!(verify(SECRET, malformed, b"{}", 1000), Err(WebhookError::Malformed), "{malformed}");
        }
        for (secret, header, body) in [
            (&b"another secret"[..], &good, &b"{}"[..]),
            (SECRET, &good, b"{ }"),
            (SECRET, &good.replace("t=1000", "t=1001"), b"{}"),
            (SECRET, &good.replace("t=1000", "t=01000"), b"{}"),
        ] {
            assert_eq!(verify(secret, header, body, 1000), Err(WebhookError::NotGenuine));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_signed_is_verified_and_nothing_panics(body: Vec<u8>, time: u64, header: String) {
            prop_assert_eq!(verify(SECRET, &sign(SECRET, &body, time), &body, time), Ok(()));
            prop_assert!(verify(SECRET, &header, &body, time).is_err());
        }
    }
}
