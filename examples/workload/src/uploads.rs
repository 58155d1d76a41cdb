//! An action that takes a file of any size, whose bytes need not be in memory.

use callboard::{
    ActionContext, Failure, action,
    js::{ByteArray, File},
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// How much of a file is in memory at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// What arrived of an upload.
#[derive(Serialize)]
struct Uploaded {
    name: String,
    media_type: String,
    bytes: u64,
    first: ByteArray,
    sha256: String,
}

/// Takes a file and reads it piece by piece. How large it may be is the node's `body_bytes_max`.
#[action(public, name = "upload", timeout = "5m")]
async fn upload(_cx: &ActionContext, file: File) -> Result<Uploaded, Failure> {
    // A file may be on disk, and reading it is for a thread that may block.
    Ok(tokio::task::spawn_blocking(move || read(file)).await??)
}

fn read(file: File) -> std::io::Result<Uploaded> {
    let mut hash = Sha256::new();
    let mut bytes = 0;
    loop {
        let piece = file.content.slice(bytes, PIECE_BYTES)?;
        if piece.is_empty() {
            break;
        }
        hash.update(&piece);
        bytes += piece.len() as u64;
    }
    Ok(Uploaded {
        first: ByteArray(file.content.slice(0, 16)?),
        sha256: data_encoding::HEXLOWER.encode(&hash.finalize()),
        name: file.name,
        media_type: file.media_type,
        bytes,
    })
}
