//! The parts of a multipart body, made while it arrives.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use callboard_protocol::{
    idempotency::FormDigest,
    multipart::{Event, Parser, Part, PartStart, Pieces},
    value::BlobContent,
};

use super::{Refused, body::Body, spill::Spill};
use crate::node::Node;

/// Reads parts. Text stays in memory, where the limit of the body bounds it; so do files, until those of one call
/// together are larger than `spill_bytes`.
pub(super) struct Parts {
    parser: Parser,
    open: Option<Open>,
    /// How much more of files may be in memory.
    memory_left_bytes: usize,
    spill: Spill,
    ended: bool,
}

/// A part that has begun.
struct Open {
    start: PartStart,
    content: Content,
    /// Whether all of it came.
    complete: bool,
}

enum Content {
    Memory(Pieces),
    Spilled { start_bytes: u64 },
}

impl Open {
    fn new(start: PartStart) -> Self {
        Self { start, content: Content::Memory(Pieces::default()), complete: false }
    }
}

impl Parts {
    pub(super) fn new(boundary: &str, node: &Node) -> Result<Self, Refused> {
        Ok(Self {
            parser: Parser::new(boundary, node.multipart_limits)?,
            open: None,
            memory_left_bytes: node.settings.spill_bytes,
            spill: Spill::new(node.spill_dir.clone()),
            ended: false,
        })
    }

    /// The next part of what the body brings, or `None` after the last. `digest` hears of all of them, if it is there
    /// from the first.
    pub(super) fn poll_part(
        &mut self,
        body: &mut Body,
        mut digest: Option<&mut FormDigest>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Part>, Refused>> {
        loop {
            if let Some(part) = ready!(self.poll_parsed(digest.as_deref_mut(), context))? {
                return Poll::Ready(Ok(Some(part)));
            }
            match ready!(body.poll_chunk(context))? {
                // What follows the last boundary is read and ignored.
                Some(_) if self.ended => {}
                Some(chunk) => self.parser.push(chunk),
                None => {
                    self.parser.finish()?;
                    return Poll::Ready(Ok(None));
                }
            }
        }
    }

    /// The next part of what the parser has, or `None` when it needs more.
    fn poll_parsed(
        &mut self,
        mut digest: Option<&mut FormDigest>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Part>, Refused>> {
        loop {
            if self.open.as_ref().is_some_and(|open| open.complete) {
                return self.poll_closed(context).map_ok(Some);
            }
            ready!(self.spill.poll_room(context))?;
            let Some(event) = self.parser.next_event()? else { return Poll::Ready(Ok(None)) };
            // While a large file passes by, as it is not in memory afterwards.
            if let Some(digest) = digest.as_deref_mut() {
                digest.event(&event);
            }
            match event {
                Event::PartStart(start) => self.open = Some(Open::new(start)),
                Event::Data(piece) => self.keep(piece),
                Event::PartEnd => {
                    if let Some(open) = &mut self.open {
                        open.complete = true;
                    }
                }
                Event::End => self.ended = true,
            }
        }
    }

    fn keep(&mut self, piece: Bytes) {
        let Some(Open { start, content, .. }) = &mut self.open else { return };
        let stays = start.file_name.is_none() || piece.len() <= self.memory_left_bytes;
        match content {
            Content::Memory(pieces) if stays => {
                if start.file_name.is_some() {
                    self.memory_left_bytes -= piece.len();
                }
                pieces.push(piece);
            }
            Content::Memory(pieces) => {
                let kept = pieces.take();
                // Another file may use the room that this one leaves.
                self.memory_left_bytes += kept.len();
                *content = Content::Spilled { start_bytes: self.spill.position_bytes() };
                self.spill.push(&kept);
                self.spill.push(&piece);
            }
            Content::Spilled { .. } => self.spill.push(&piece),
        }
    }

    /// The part that is open and complete.
    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<Result<Part, Refused>> {
        if let Some(Open { content: Content::Spilled { .. }, .. }) = &self.open {
            ready!(self.spill.poll_flushed(context))?;
        }
        let Open { start, content, .. } = self.open.take().expect("asked for when there is one");
        Poll::Ready(Ok(match content {
            Content::Memory(mut pieces) if start.file_name.is_some() => start.into_file(pieces.take().into()),
            Content::Memory(mut pieces) => start.into_text(pieces.take(), self.parser.part())?,
            Content::Spilled { start_bytes } => {
                let file = self.spill.file(start_bytes).expect("flushed, so there is a file");
                start.into_file(BlobContent::Spilled(Arc::new(file)))
            }
        }))
    }
}
