//! A form written as a browser writes it.

use super::{Content, Part};

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
    for part in parts {
        body.extend_from_slice(b"--");
        body.extend_from_slice(boundary.as_bytes());
        body.extend_from_slice(b"\r\ncontent-disposition: form-data; name=\"");
        escape(&part.name, &mut body);
        body.push(b'"');
        match &part.content {
            Content::Text(text) => {
                body.extend_from_slice(b"\r\n\r\n");
                body.extend_from_slice(text.as_bytes());
            }
            Content::File { name, media_type, content } => {
                body.extend_from_slice(b"; filename=\"");
                escape(name, &mut body);
                body.extend_from_slice(b"\"\r\ncontent-type: ");
                body.extend_from_slice(media_type.as_bytes());
                body.extend_from_slice(b"\r\n\r\n");
                body.extend_from_slice(&content.bytes().expect("the file can be read from where it is kept"));
            }
        }
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--");
    body.extend_from_slice(boundary.as_bytes());
    body.extend_from_slice(b"--\r\n");
    body
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
