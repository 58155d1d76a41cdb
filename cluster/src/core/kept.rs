//! An outcome as it is kept for its idempotency key: behind the position of its revalidations, 0 where there are none.

use bytes::{BufMut as _, Bytes, BytesMut};
use callboard_protocol::revalidation::LogPosition;

const POSITION_BYTES: usize = 8;

/// What is kept.
pub(super) fn written(position: Option<LogPosition>, outcome: &Bytes) -> Bytes {
    let mut kept = BytesMut::with_capacity(POSITION_BYTES + outcome.len());
    kept.put_u64_le(position.map_or(0, LogPosition::as_u64));
    kept.put_slice(outcome);
    kept.freeze()
}

/// What was kept. Of something else that stands there, nothing.
pub(super) fn read(kept: &Bytes) -> (Option<LogPosition>, Bytes) {
    match kept.first_chunk::<POSITION_BYTES>() {
        Some(position) => {
            let position = Some(u64::from_le_bytes(*position)).filter(|position| *position != 0);
            (position.map(LogPosition::from_u64), kept.slice(POSITION_BYTES..))
        }
        None => (None, Bytes::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back() {
        let outcome = Bytes::from_static(b"outcome");
        for position in [None, Some(LogPosition::from_u64(7))] {
            assert_eq!(read(&written(position, &outcome)), (position, outcome.clone()));
        }
        assert_eq!(read(&Bytes::from_static(b"short")), (None, Bytes::new()));
    }
}
