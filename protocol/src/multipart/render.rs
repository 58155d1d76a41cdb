//! A form written as a browser writes it.

use bytes::Bytes;

use super::{Content, Part};
use crate::value::BlobContent;

/// The `content-type` of a body with this boundary.
#[must_use]
pub fn media_type(boundary: &str) -> String {
    format!("multipart/form-data; boundary={boundary}")
}

/// The body. Text is written as it is: a browser has normalised line ends before.
///
/// # Panics
///
/// If a file cannot be read from where it is kept; those in memory can.
#[must_use]
pub fn render(parts: &[Part], boundary: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for piece in pieces(parts, boundary) {
        body.extend_from_slice(&piece.bytes().expect("the file can be read from where it is kept"));
    }
    body
}

/// The body in pieces, of which none is copied that is large.
pub fn pieces<'p>(parts: &'p [Part], boundary: &'p str) -> impl Iterator<Item = BlobContent> + 'p {
    let end = BlobContent::from(format!("--{boundary}--\r\n").into_bytes());
    let parts = parts.iter().flat_map(move |part| {
        let mut head = format!("--{boundary}\r\ncontent-disposition: form-data; name=\"").into_bytes();
        escape(&part.name, &mut head);
        head.push(b'"');
        let content = match &part.content {
            Content::Text(text) => text.as_bytes().clone().into(),
            Content::File { name, media_type, content } => {
                head.extend_from_slice(b"; filename=\"");
                escape(name, &mut head);
                head.extend_from_slice(b"\"\r\ncontent-type: ");
                head.extend_from_slice(media_type.as_bytes());
                content.clone()
            }
        };
        head.extend_from_slice(b"\r\n\r\n");
        [BlobContent::from(head), content, BlobContent::from(Bytes::from_static(b"\r\n"))]
    });
    parts.chain([end])
}

fn escape(name: &str, body: &mut Vec<u8>) {
    for byte in name.bytes() {
        match byte {
            b'"' => body.extend_from_slice(b"%22"),
            b'\r' => body.extend_from_slice(b"%0D"),
            b'\n' => body.extend_from_slice(b"%0A"),
            other => body.push(other),
        }
    }
}
