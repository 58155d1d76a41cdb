//! Parts of a form as bytes that a fuzzer can cut and join: no byte above 0xFC stands in UTF-8, so these mark where
//! names and contents end, and what is between stays readable.

use callboard_protocol::multipart::{Content, Part};

/// Ends a part.
const END: u8 = 0xFF;
/// Stands between the name and the text of a text field.
const TEXT: u8 = 0xFE;
/// Stands between the name and the bytes of a file.
const FILE: u8 = 0xFD;

/// The parts that these bytes describe; what is not UTF-8 is replaced.
pub(crate) fn read(bytes: &[u8]) -> Vec<Part> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let part = |bytes: &[u8]| {
        let at = bytes.iter().position(|byte| matches!(*byte, TEXT | FILE))?;
        let (name, content) = (text(&bytes[..at]), &bytes[at + 1..]);
        Some(match bytes[at] {
            TEXT => Part::text(name, text(content)),
            _ => Part::file(name, "blob", "application/octet-stream", content.to_vec()),
        })
    };
    bytes.split(|byte| *byte == END).filter_map(part).collect()
}

/// The bytes that describe these parts. File contents lose the marking bytes.
pub(crate) fn write(parts: &[Part]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(part.name.as_bytes());
        match &part.content {
            Content::Text(text) => {
                bytes.push(TEXT);
                bytes.extend_from_slice(text.as_bytes());
            }
            Content::File { content, .. } => {
                bytes.push(FILE);
                let content = content.bytes().unwrap_or_default();
                bytes.extend(content.iter().filter(|byte| **byte < FILE));
            }
        }
        bytes.push(END);
    }
    bytes
}
