//! The frame that nodes of one cluster send each other: versioned, checked, and safe to read whoever wrote it.
//!
//! ```text
//! frame   = major (u8) · minor (u8) · namespace (u64) · checksum (u64) · section*
//! section = kind (u8) · length (u32) · length bytes
//! ```
//! Numbers are little-endian. The checksum is XXH3 over everything behind it, seeded with what stands before it; it
//! finds damage and strangers, not malice: whoever can write to Redis is trusted with more than this. A section of a
//! kind that is not known is passed over, so that a newer minor version may add some; another major version is
//! refused by its number. Within a section, small fields are bincode with a limit, and arguments and outcomes are
//! raw bytes beside it: no recursive type and no type without a size crosses here. What is known stands at most once.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::identity::{Incarnation, ProcessId};
pub use crate::message::{
    Answer, Cancel, Chunk, Credit, Direction, Envelope, Idempotency, Message, Reply, Route, TransferEnd,
    TransferId, Verdict,
};

/// The version that is written. Read is every minor version of this major one.
pub const VERSION: (u8, u8) = (1, 0);

/// Largest bincode part of a section, in bytes: ids, numbers and names need some hundred; keys are limited by the
/// node to less.
const FIELDS_BYTES_MAX: usize = 64 << 10;

/// Most messages of one frame. A sender makes frames of at most 64 calls; beside them stand chunks and credits.
const MESSAGES_MAX: usize = 4096;

/// What one process tells one session of another: messages in their order, numbered per stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Who sends.
    pub sender: ProcessId,
    /// 1, 2, 3 … for each stream of each session that this process sends to.
    pub number: u64,
    /// The memory of Redis that the sender wrote it to.
    pub incarnation: Incarnation,
    /// What it says.
    pub messages: Vec<Message>,
}

/// The cluster whose frames are read and written: those of others are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace(u64);

impl Namespace {
    /// The cluster with this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(xxh3_64(name.as_bytes()))
    }
}

/// Why bytes are not a frame of this cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It ends before it should.
    #[error("the frame is cut off")]
    Truncated,
    /// Another major version.
    #[error("the frame is of version {major}.{minor}; this node reads version {}", VERSION.0)]
    Version {
        /// Its major version.
        major: u8,
        /// Its minor version.
        minor: u8,
    },
    /// Another namespace.
    #[error("the frame is of another cluster: nodes of two namespaces share keys of Redis")]
    Namespace,
    /// Damaged.
    #[error("the frame's checksum is wrong")]
    Checksum,
    /// A section that cannot be.
    #[error("section {kind} of the frame is malformed")]
    Section {
        /// Its kind.
        kind: u8,
    },
    /// No header or two, or more messages than a frame may have.
    #[error("the frame has not one header, or more than {MESSAGES_MAX} messages")]
    Shape,
}

const PREFIX_BYTES: usize = 2 + 8 + 8;

/// Kinds of sections.
mod kind {
    pub(super) const HEADER: u8 = 1;
    pub(super) const REQUEST: u8 = 2;
    pub(super) const REPLY: u8 = 3;
    pub(super) const CHUNK: u8 = 4;
    pub(super) const CREDIT: u8 = 5;
    pub(super) const CANCEL: u8 = 6;
    /// Within requests, replies and chunks.
    pub(super) const FIELDS: u8 = 16;
    pub(super) const CONTEXT: u8 = 17;
    pub(super) const BYTES: u8 = 18;
}

#[derive(Serialize, Deserialize)]
struct Header {
    sender: ProcessId,
    number: u64,
    incarnation: Incarnation,
}

#[derive(Serialize, Deserialize)]
struct ChunkFields {
    transfer: TransferId,
    number: u64,
    end: Option<TransferEnd>,
}

impl Frame {
    /// The bytes of this frame in a cluster.
    #[must_use]
    pub fn encode(&self, namespace: Namespace) -> Bytes {
        let payload: usize = self.messages.iter().map(Message::payload_bytes).sum();
        let mut bytes = BytesMut::with_capacity(128 + payload + 160 * self.messages.len());
        bytes.put_u8(VERSION.0);
        bytes.put_u8(VERSION.1);
        bytes.put_u64_le(namespace.0);
        bytes.put_u64_le(0);
        let header =
            Header { sender: self.sender, number: self.number, incarnation: self.incarnation.clone() };
        section(&mut bytes, kind::HEADER, |bytes| put_fields(bytes, &header));
        for message in &self.messages {
            message.encode(&mut bytes);
        }
        let checksum = checksum(&bytes[PREFIX_BYTES..], namespace, VERSION);
        bytes[PREFIX_BYTES - 8..PREFIX_BYTES].copy_from_slice(&checksum.to_le_bytes());
        bytes.freeze()
    }

    /// Reads a frame; payloads are slices of `bytes`.
    ///
    /// # Errors
    ///
    /// [`FrameError`] for everything that this cluster's nodes did not write. Never panics, and allocates no more
    /// than a fixed number of bytes per byte read.
    pub fn decode(bytes: &Bytes, namespace: Namespace) -> Result<Self, FrameError> {
        let (&[major, minor], mut rest) = bytes.split_first_chunk().ok_or(FrameError::Truncated)?;
        if major != VERSION.0 {
            return Err(FrameError::Version { major, minor });
        }
        let (written_for, written_sum) = word(&mut rest).zip(word(&mut rest)).ok_or(FrameError::Truncated)?;
        if written_for != namespace.0 {
            return Err(FrameError::Namespace);
        }
        let body = bytes.slice(PREFIX_BYTES..);
        if written_sum != checksum(&body, namespace, (major, minor)) {
            return Err(FrameError::Checksum);
        }
        let mut header = None;
        let mut messages = Vec::new();
        for section in Sections(body) {
            let (kind, content) = section?;
            match kind {
                kind::HEADER if header.is_some() => return Err(FrameError::Shape),
                kind::HEADER => header = Some(fields::<Header>(kind, &content)?),
                _ => messages.extend(Message::decode(kind, content)?),
            }
            if messages.len() > MESSAGES_MAX {
                return Err(FrameError::Shape);
            }
        }
        let Header { sender, number, incarnation } = header.ok_or(FrameError::Shape)?;
        Ok(Self { sender, number, incarnation, messages })
    }
}

impl Message {
    /// Bytes of arguments, outcomes and contexts in it: what a frame's size is reckoned by.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        match self {
            Self::Request(envelope) => envelope.context.len() + envelope.arguments.len(),
            Self::Reply(reply) => reply.outcome.len(),
            Self::Chunk(chunk) => chunk.bytes.len(),
            Self::Credit(_) | Self::Cancel(_) => 0,
        }
    }

    fn encode(&self, bytes: &mut BytesMut) {
        match self {
            Self::Request(Envelope { route, context, arguments }) => section(bytes, kind::REQUEST, |bytes| {
                section(bytes, kind::FIELDS, |bytes| put_fields(bytes, route));
                raw(bytes, kind::CONTEXT, context);
                raw(bytes, kind::BYTES, arguments);
            }),
            Self::Reply(Reply { verdict, outcome }) => section(bytes, kind::REPLY, |bytes| {
                section(bytes, kind::FIELDS, |bytes| put_fields(bytes, verdict));
                raw(bytes, kind::BYTES, outcome);
            }),
            Self::Chunk(Chunk { transfer, number, end, bytes: content }) => {
                section(bytes, kind::CHUNK, |bytes| {
                    let fields = ChunkFields { transfer: *transfer, number: *number, end: *end };
                    section(bytes, kind::FIELDS, |bytes| put_fields(bytes, &fields));
                    raw(bytes, kind::BYTES, content);
                });
            }
            Self::Credit(credit) => section(bytes, kind::CREDIT, |bytes| put_fields(bytes, credit)),
            Self::Cancel(cancel) => section(bytes, kind::CANCEL, |bytes| put_fields(bytes, cancel)),
        }
    }

    /// `None` for a kind that a newer minor version added.
    fn decode(kind: u8, content: Bytes) -> Result<Option<Self>, FrameError> {
        let message = match kind {
            kind::REQUEST => {
                let Parts { fields, context, bytes } = Parts::read(kind, content)?;
                Self::Request(Envelope { route: fields, context, arguments: bytes })
            }
            kind::REPLY => {
                let Parts { fields, bytes, .. } = Parts::read(kind, content)?;
                Self::Reply(Reply { verdict: fields, outcome: bytes })
            }
            kind::CHUNK => {
                let Parts { fields: ChunkFields { transfer, number, end }, bytes, .. } =
                    Parts::read(kind, content)?;
                Self::Chunk(Chunk { transfer, number, end, bytes })
            }
            kind::CREDIT => Self::Credit(fields(kind, &content)?),
            kind::CANCEL => Self::Cancel(fields(kind, &content)?),
            _ => return Ok(None),
        };
        Ok(Some(message))
    }
}

/// What stands within a message that has bytes beside its fields.
struct Parts<T> {
    fields: T,
    context: Bytes,
    bytes: Bytes,
}

impl<T: DeserializeOwned> Parts<T> {
    fn read(kind: u8, parts: Bytes) -> Result<Self, FrameError> {
        let (mut read, mut context, mut bytes) = (None, None, None);
        for section in Sections(parts) {
            let (inner, part) = section?;
            let twice = match inner {
                kind::FIELDS => read.replace(fields(kind, &part)?).is_some(),
                kind::CONTEXT => context.replace(part).is_some(),
                kind::BYTES => bytes.replace(part).is_some(),
                _ => false,
            };
            if twice {
                return Err(FrameError::Section { kind });
            }
        }
        let fields = read.ok_or(FrameError::Section { kind })?;
        Ok(Self { fields, context: context.unwrap_or_default(), bytes: bytes.unwrap_or_default() })
    }
}

/// Takes a number off.
fn word(bytes: &mut &[u8]) -> Option<u64> {
    let (word, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*word))
}

fn checksum(body: &[u8], namespace: Namespace, (major, minor): (u8, u8)) -> u64 {
    xxh3_64_with_seed(body, namespace.0 ^ u64::from(u16::from_le_bytes([major, minor])))
}

pub(crate) fn section(bytes: &mut BytesMut, kind: u8, content: impl FnOnce(&mut BytesMut)) {
    bytes.put_u8(kind);
    let at = bytes.len();
    bytes.put_u32_le(0);
    content(bytes);
    let length = (bytes.len() - at - 4) as u32;
    bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

pub(crate) fn raw(bytes: &mut BytesMut, kind: u8, content: &Bytes) {
    if !content.is_empty() {
        section(bytes, kind, |bytes| bytes.put_slice(content));
    }
}

/// The sections of some bytes, one after the other.
pub(crate) struct Sections(pub(crate) Bytes);

impl Iterator for Sections {
    type Item = Result<(u8, Bytes), FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let header = self
            .0
            .split_first_chunk::<5>()
            .map(|(&[kind, length @ ..], rest)| (kind, u32::from_le_bytes(length) as usize, rest.len()));
        match header {
            Some((kind, length, left)) if length <= left => {
                let content = self.0.slice(5..5 + length);
                self.0 = self.0.slice(5 + length..);
                Some(Ok((kind, content)))
            }
            _ => {
                self.0 = Bytes::new();
                Some(Err(FrameError::Truncated))
            }
        }
    }
}

pub(crate) fn put_fields<T: Serialize>(bytes: &mut BytesMut, fields: &T) {
    bincode::serde::encode_into_std_write(fields, &mut bytes.writer(), bincode::config::standard())
        .expect("writing to memory does not fail, and every field's type can be written");
}

fn fields<T: DeserializeOwned>(kind: u8, bytes: &[u8]) -> Result<T, FrameError> {
    fields_within::<T, FIELDS_BYTES_MAX>(kind, bytes)
}

/// The one place that decodes bincode: with a limit, and nothing behind it.
pub(crate) fn fields_within<T: DeserializeOwned, const BYTES_MAX: usize>(
    kind: u8,
    bytes: &[u8],
) -> Result<T, FrameError> {
    let config = bincode::config::standard().with_limit::<BYTES_MAX>();
    match bincode::serde::decode_from_slice(bytes, config) {
        Ok((fields, length)) if length == bytes.len() => Ok(fields),
        _ => Err(FrameError::Section { kind }),
    }
}
