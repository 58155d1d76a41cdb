//! The temporary file that the large files of one call go to.

use std::{
    fmt,
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::PathBuf,
    sync::Arc,
    task::{Context, Poll, ready},
};

use actix_web::rt::task::{JoinHandle, spawn_blocking};
use callboard_protocol::{ErrorCode, value::Spilled};
use tracing::error;

use super::Refused;

/// How much is written at once. A write may wait for the disk, so none is made on a thread that serves others; handing
/// one over costs some 20 µs, which this size makes a tenth of what the copying costs.
const BATCH_BYTES: usize = 256 * 1024;

/// Writes one file for a whole call, so that a call has one file descriptor however many files it brings.
///
/// The file never has a name: when the last [`SpilledFile`] of it is dropped, or the process ends in whatever way, its
/// space is free again.
pub(super) struct Spill {
    folder: PathBuf,
    file: Option<Arc<File>>,
    /// What is written, or about to be.
    length_bytes: u64,
    batch: Vec<u8>,
    writing: Option<JoinHandle<io::Result<Written>>>,
}

/// What comes back from a write: the file, and the room of the batch.
struct Written {
    file: Arc<File>,
    batch: Vec<u8>,
}

impl Spill {
    /// Nothing is made before something is written.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, file: None, length_bytes: 0, batch: Vec::new(), writing: None }
    }

    /// Where the next byte will stand.
    pub(super) fn position_bytes(&self) -> u64 {
        self.length_bytes
    }

    /// Adds bytes. To be called when [`Spill::poll_room`] was ready.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.batch.extend_from_slice(piece);
        self.length_bytes += piece.len() as u64;
    }

    /// Ready when there is room for more.
    pub(super) fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        if self.writing.is_none() {
            if self.batch.len() < BATCH_BYTES {
                return Poll::Ready(Ok(()));
            }
            self.write();
        }
        self.poll_written(context)
    }

    /// Ready when all that was added is in the file.
    pub(super) fn poll_flushed(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        loop {
            ready!(self.poll_written(context))?;
            if self.batch.is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.write();
        }
    }

    /// Some of the file, which is all written.
    pub(super) fn file(&self, start_bytes: u64) -> Option<SpilledFile> {
        let file = Arc::clone(self.file.as_ref()?);
        Some(SpilledFile { file, start_bytes, length_bytes: self.length_bytes - start_bytes })
    }

    fn write(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        let (known, folder) = (self.file.clone(), self.folder.clone());
        let offset_bytes = self.length_bytes - batch.len() as u64;
        self.writing = Some(spawn_blocking(move || {
            let file = match known {
                Some(file) => file,
                None => Arc::new(tempfile::tempfile_in(folder)?),
            };
            file.write_all_at(&batch, offset_bytes)?;
            Ok(Written { file, batch })
        }));
    }

    fn poll_written(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        let Some(writing) = &mut self.writing else { return Poll::Ready(Ok(())) };
        let written = ready!(std::pin::Pin::new(writing).poll(context));
        self.writing = None;
        // A write that panicked or was not begun, as the runtime ends, is one that failed.
        match written.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(Written { file, mut batch }) => {
                batch.clear();
                self.batch = batch;
                self.file = Some(file);
                Poll::Ready(Ok(()))
            }
            Err(reason) => {
                error!(folder = %self.folder.display(), %reason, "a large file cannot be kept (setting spill_dir)");
                let detail = format!("a large file cannot be kept at the moment: {}", reason.kind());
                Poll::Ready(Err(Refused::new(ErrorCode::SpillFailed, detail)))
            }
        }
    }
}

/// One file of a call, in the temporary file of all of them.
pub(super) struct SpilledFile {
    file: Arc<File>,
    start_bytes: u64,
    length_bytes: u64,
}

impl Spilled for SpilledFile {
    fn len(&self) -> u64 {
        self.length_bytes
    }

    fn read_at(&self, into: &mut [u8], offset_bytes: u64) -> io::Result<usize> {
        let left = self.length_bytes.saturating_sub(offset_bytes);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(into.len());
        self.file.read_at(&mut into[..count], self.start_bytes + offset_bytes)
    }
}

impl fmt::Debug for SpilledFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpilledFile").field("length_bytes", &self.length_bytes).finish_non_exhaustive()
    }
}
