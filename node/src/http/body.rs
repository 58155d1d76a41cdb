//! Reading a body under its limits.

use std::time::Duration;

use actix_web::{HttpRequest, http::header, web};
use bytes::{Bytes, BytesMut};
use callboard_protocol::ErrorCode;
use futures_util::StreamExt as _;

use super::Refused;

/// How much of a refused body is read and thrown away, so that the connection can be used again. More than that, and
/// closing the connection is cheaper for both.
const DISCARD_BYTES_MAX: usize = 8 << 20;

/// Reads a whole body.
pub(super) async fn read(
    request: &HttpRequest,
    payload: &mut web::Payload,
    bytes_max: usize,
    timeout: Duration,
) -> Result<Bytes, Refused> {
    if announced_bytes(request).is_some_and(|announced| announced > bytes_max as u64) {
        return Err(too_large(bytes_max));
    }
    // Most bodies came with their head; only what did not is waited for.
    let reading = read_all(payload, bytes_max);
    match tokio::time::timeout(timeout, reading).await {
        Ok(read) => read,
        Err(_) => Err(Refused::new(
            ErrorCode::BodyIncomplete,
            format!("the body did not arrive within {timeout:?}"),
        )),
    }
}

async fn read_all(payload: &mut web::Payload, bytes_max: usize) -> Result<Bytes, Refused> {
    let first = next(payload).await?.unwrap_or_default();
    let Some(second) = next(payload).await? else {
        return if first.len() > bytes_max { Err(too_large(bytes_max)) } else { Ok(first) };
    };
    let mut body = BytesMut::with_capacity((first.len() + second.len()) * 2);
    let (mut chunk, mut more) = (first, Some(second));
    loop {
        if body.len() + chunk.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        body.extend_from_slice(&chunk);
        match more.take() {
            Some(second) => chunk = second,
            None => match next(payload).await? {
                Some(following) => chunk = following,
                None => return Ok(body.freeze()),
            },
        }
    }
}

async fn next(payload: &mut web::Payload) -> Result<Option<Bytes>, Refused> {
    match payload.next().await {
        None => Ok(None),
        Some(Ok(chunk)) => Ok(Some(chunk)),
        Some(Err(_)) => Err(Refused::new(ErrorCode::BodyIncomplete, "the body ended early")),
    }
}

/// How long a refusal waits for the rest of its body, for the same reason. A body that is on its way is there by
/// then; a client that sends none is not waited for.
const DISCARD_WAIT: Duration = Duration::from_millis(500);

/// Reads on without keeping anything. Answers whether the connection can be used again.
pub(super) async fn discard(request: &HttpRequest, payload: &mut web::Payload) -> bool {
    if announced_bytes(request).is_some_and(|announced| announced > DISCARD_BYTES_MAX as u64) {
        return false;
    }
    let discarding = async {
        let mut discarded = 0;
        while let Some(chunk) = payload.next().await {
            let Ok(chunk) = chunk else { return false };
            discarded += chunk.len();
            if discarded > DISCARD_BYTES_MAX {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(DISCARD_WAIT, discarding).await.unwrap_or(false)
}

fn announced_bytes(request: &HttpRequest) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(bytes_max: usize) -> Refused {
    Refused::new(ErrorCode::BodyTooLarge, format!("the body is larger than {bytes_max} bytes"))
}
