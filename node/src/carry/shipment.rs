//! The arguments of a call, as they can be sent to the node that runs it.

use std::io;

use bytes::{Bytes, BytesMut};
use callboard_protocol::{
    carried::Framing,
    envelope::TransferEnd,
    multipart::{self, Part},
    value::BlobContent,
};
use tracing::warn;

use super::Room;

/// What came from the client, before it was decoded. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Shipment {
    framing: Framing,
    pieces: Vec<BlobContent>,
    bytes: u64,
}

/// Largest piece that is read at once, in bytes.
const PIECE_BYTES: usize = 64 << 10;

impl Shipment {
    /// Arguments that came as one text.
    pub(crate) fn text(text: Bytes) -> Self {
        Self::new(Framing::Text, vec![text.into()])
    }

    /// Arguments that came as parts.
    pub(crate) fn parts(parts: &[Part]) -> Self {
        Self::framed(parts, Framing::Multipart)
    }

    /// A form that names its action.
    pub(crate) fn form(parts: &[Part]) -> Self {
        Self::framed(parts, Framing::Form)
    }

    /// The boundary is as random as a key: nothing that a client wrote contains it.
    fn framed(parts: &[Part], framing: impl FnOnce(String) -> Framing) -> Self {
        let boundary = format!("{:032x}", rand::random::<u128>());
        let pieces = multipart::pieces(parts, &boundary).collect();
        Self::new(framing(boundary), pieces)
    }

    fn new(framing: Framing, pieces: Vec<BlobContent>) -> Self {
        let bytes = pieces.iter().map(BlobContent::len).sum();
        Self { framing, pieces, bytes }
    }

    /// How it is framed.
    pub(crate) fn framing(&self) -> Framing {
        self.framing.clone()
    }

    /// How large it is.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// All of it, if it is in memory and at most this large.
    pub(crate) fn whole(&self, bytes_max: usize) -> Option<Bytes> {
        if self.bytes > bytes_max as u64 {
            return None;
        }
        if let [BlobContent::Memory(only)] = &self.pieces[..] {
            return Some(only.clone());
        }
        let mut whole = BytesMut::with_capacity(self.bytes as usize);
        for piece in &self.pieces {
            let BlobContent::Memory(bytes) = piece else { return None };
            whole.extend_from_slice(bytes);
        }
        Some(whole.freeze())
    }

    /// Writes all of it, as there is room.
    pub(crate) async fn send(self, mut room: Room) {
        for piece in self.pieces {
            let mut offset = 0;
            while offset < piece.len() {
                if !room.wait().await {
                    return;
                }
                match slice(&piece, offset).await {
                    Ok(bytes) => {
                        offset += bytes.len() as u64;
                        room.write(bytes, None);
                    }
                    Err(error) => {
                        warn!(%error, "arguments that were kept on disk cannot be read again");
                        return room.write(Bytes::new(), Some(TransferEnd::Broken));
                    }
                }
            }
        }
        if room.wait().await {
            room.write(Bytes::new(), Some(TransferEnd::Complete));
        }
    }
}

async fn slice(content: &BlobContent, offset: u64) -> io::Result<Bytes> {
    if matches!(content, BlobContent::Memory(_)) {
        return content.slice(offset, PIECE_BYTES);
    }
    let content = content.clone();
    tokio::task::spawn_blocking(move || content.slice(offset, PIECE_BYTES)).await?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_shipment_is_whole_and_a_large_one_is_not() {
        let text = Shipment::text(Bytes::from_static(b"[1]"));
        assert_eq!((text.bytes(), text.whole(3)), (3, Some(Bytes::from_static(b"[1]"))));
        assert_eq!(text.whole(2), None);
    }

    #[test]
    fn parts_are_framed_as_they_are_read_again() {
        let parts = [Part::text("0", "[1]"), Part::file("f", "a\"b.txt", "text/plain", "content")];
        let shipment = Shipment::parts(&parts);
        let Framing::Multipart(boundary) = shipment.framing() else { panic!("parts") };
        let whole = shipment.whole(1 << 10).expect("small");
        assert_eq!(multipart::collect(whole, &boundary, multipart::Limits::default()), Ok(parts.to_vec()));
    }
}
