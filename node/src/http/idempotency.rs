//! Which calls are one, in the client's words: a header of its own, or the nonce of the form that it sends.

use actix_web::HttpRequest;
use callboard_protocol::{
    ErrorCode, envelope::Idempotency, headers, idempotency::BodyDigest, sealing::verify_form_nonce,
};

use super::Refused;
use crate::{actors::Admitted, context::Principal, node::Node};

/// Longest key, in characters: enough for names that a client puts together from its own. A UUID has 36.
const KEY_CHARACTERS_MAX: usize = 255;

/// The key of a call, if the client sends one. To be asked for before anything of the body is read.
pub(super) fn key(request: &HttpRequest) -> Result<Option<&str>, Refused> {
    let mut keys = request.headers().get_all(headers::IDEMPOTENCY_KEY);
    let Some(key) = keys.next() else { return Ok(None) };
    let refused = |what: &str| {
        let detail = format!("the header {} {what}", headers::IDEMPOTENCY_KEY);
        Err(Refused::new(ErrorCode::BadIdempotencyKey, detail))
    };
    if keys.next().is_some() {
        return refused("is there more than once");
    }
    match key.to_str() {
        _ if key.is_empty() => refused("is empty"),
        _ if key.len() > KEY_CHARACTERS_MAX => {
            refused(&format!("is longer than {KEY_CHARACTERS_MAX} characters"))
        }
        Ok(key) if key.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Some(key)),
        _ => refused("has characters other than visible ASCII"),
    }
}

/// What a key stands for.
pub(super) fn of_key(node: &Node, admitted: &Admitted, key: &str, body: BodyDigest) -> Idempotency {
    let retention = node.settings.idempotency_retention;
    Idempotency::of_key(&admitted.resolved.action.id, principal(admitted), key, body).kept_for(retention)
}

/// What a form's nonce stands for, or the key that came with it: whoever sends one says what he means.
///
/// A nonce counts however old it is. What ends is the memory of what the form came to, `nonce_retention` after it was
/// submitted; until then a form that was left open all night is as safe from a second click as a new one. A form
/// without a nonce is React's or the application's own.
pub(super) fn of_form(
    node: &Node,
    admitted: &Admitted,
    key: Option<&str>,
    nonce: Option<&str>,
    body: BodyDigest,
) -> Result<Option<Idempotency>, Refused> {
    let nonce = nonce.map(|nonce| verify_form_nonce(&node.keys, nonce)).transpose()?;
    Ok(match (key, nonce) {
        (Some(key), _) => Some(of_key(node, admitted, key, body)),
        (None, Some(nonce)) => {
            let form = Idempotency::of_form(&admitted.resolved.action.id, principal(admitted), nonce, body);
            Some(form.kept_for(node.settings.nonce_retention))
        }
        (None, None) => None,
    })
}

fn principal(admitted: &Admitted) -> Option<&str> {
    admitted.principal.as_ref().map(Principal::id)
}
