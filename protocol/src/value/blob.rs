//! Files: what they are called, and where their bytes are.

use std::{fmt, io, sync::Arc};

use bytes::Bytes;
use bytestring::ByteString;

use crate::js::JsString;

/// A `Blob`, or a `File` where it has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The file name as the client sent it: untrusted text, never a path.
    pub name: Option<JsString>,
    /// The media type as the client sent it.
    pub media_type: ByteString,
    /// The content.
    pub content: BlobContent,
}

/// Where the bytes of a file are.
#[derive(Clone, Debug)]
pub enum BlobContent {
    /// In memory.
    Memory(Bytes),
    /// Elsewhere, as they are many.
    Spilled(Arc<dyn Spilled>),
}

/// Bytes that are kept outside of memory, for as long as anybody holds this.
pub trait Spilled: fmt::Debug + Send + Sync {
    /// How many bytes there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads some bytes, beginning at this one; 0 at the end only.
    ///
    /// # Errors
    ///
    /// What the storage says. It may block for as long as the storage does.
    fn read_at(&self, into: &mut [u8], offset_bytes: u64) -> io::Result<usize>;
}

impl BlobContent {
    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Spilled(spilled) => spilled.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All bytes, in memory. May block where they are spilled.
    ///
    /// # Errors
    ///
    /// What the storage says.
    pub fn bytes(&self) -> io::Result<Bytes> {
        self.slice(0, usize::try_from(self.len()).map_err(io::Error::other)?)
    }

    /// Bytes from this one on, this many or as many as there are. Not copied where they are in memory; may block where
    /// they are spilled.
    ///
    /// # Errors
    ///
    /// What the storage says.
    pub fn slice(&self, offset_bytes: u64, bytes_max: usize) -> io::Result<Bytes> {
        let left = self.len().saturating_sub(offset_bytes);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes_max);
        match self {
            Self::Memory(bytes) => {
                let start = bytes.len() - usize::try_from(left).map_err(io::Error::other)?;
                Ok(bytes.slice(start..start + length))
            }
            Self::Spilled(spilled) => {
                let mut bytes = vec![0; length];
                let mut filled = 0;
                while filled < length {
                    match spilled.read_at(&mut bytes[filled..], offset_bytes + filled as u64)? {
                        0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                        read => filled += read,
                    }
                }
                Ok(bytes.into())
            }
        }
    }
}

impl From<Bytes> for BlobContent {
    fn from(bytes: Bytes) -> Self {
        Self::Memory(bytes)
    }
}

impl From<Vec<u8>> for BlobContent {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Memory(bytes.into())
    }
}

impl Default for BlobContent {
    fn default() -> Self {
        Self::Memory(Bytes::new())
    }
}

/// The same bytes in memory, or the same storage: comparing reads nothing.
impl PartialEq for BlobContent {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Memory(left), Self::Memory(right)) => left == right,
            (Self::Spilled(left), Self::Spilled(right)) => Arc::ptr_eq(left, right),
            _ => false,
        }
    }
}

impl Eq for BlobContent {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct OneByOne(Vec<u8>);

    impl Spilled for OneByOne {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }

        fn read_at(&self, into: &mut [u8], offset_bytes: u64) -> io::Result<usize> {
            into[0] = self.0[usize::try_from(offset_bytes).unwrap()];
            Ok(1)
        }
    }

    #[test]
    fn bytes_are_read_from_wherever_they_are() {
        let spilled = BlobContent::Spilled(Arc::new(OneByOne(b"abcdef".to_vec())));
        for content in [BlobContent::from(b"abcdef".to_vec()), spilled] {
            assert_eq!(content.bytes().unwrap(), "abcdef");
            assert_eq!(content.slice(2, 3).unwrap(), "cde");
            assert_eq!(content.slice(4, 30).unwrap(), "ef");
            assert_eq!(content.slice(9, 3).unwrap(), "");
        }
    }
}
