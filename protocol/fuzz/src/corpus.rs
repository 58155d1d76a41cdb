//! The inputs that are kept in the tree: one file a target, one input a line, its bytes escaped as in Rust's strings.

use std::{fs, io, path::Path};

/// The inputs of a file; none if there is no such file.
///
/// # Errors
///
/// If the file cannot be read, or a line of it is not escaped properly.
pub fn read(file: &Path) -> io::Result<Vec<Vec<u8>>> {
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let wrong = |line: &str| io::Error::other(format!("not escaped properly: {line}"));
    text.lines().map(|line| unescape(line).ok_or_else(|| wrong(line))).collect()
}

/// Undoes `escape_ascii`.
fn unescape(line: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(line.len());
    let mut rest = line.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next()? {
                b't' => b'\t',
                b'r' => b'\r',
                b'n' => b'\n',
                b'x' => {
                    let mut digit = || char::from(rest.next()?).to_digit(16);
                    (digit()? << 4 | digit()?) as u8
                }
                plain @ (b'\'' | b'"' | b'\\') => plain,
                _ => return None,
            },
            plain => plain,
        });
    }
    Some(bytes)
}
