//! The bytes of one frame of each kind, so that a change of the layout is noticed.

use std::{fmt::Write as _, fs, path::PathBuf};

use callboard_protocol::envelope::{Frame, Namespace, VERSION};

use crate::fuzz::envelope::samples;

/// Set to write the files of the current version anew.
const WRITE: &str = "WRITE_GOLDEN_ENVELOPES";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/envelope")
}

fn namespace() -> Namespace {
    Namespace::named("golden")
}

/// Thirty-two bytes a line.
fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(32) {
        for byte in line {
            write!(text, "{byte:02x}").expect("a string takes all that is written");
        }
        text.push('\n');
    }
    text
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |digit: u8| char::from(digit).to_digit(16).expect("only digits were kept") as u8;
    digits.chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// Goal: nodes of two releases understand each other. Method: the samples encode to the files of the current version,
/// byte by byte.
#[test]
fn frames_are_written_as_their_version_says() {
    let (major, minor) = VERSION;
    for (name, frame) in samples() {
        let written = to_hex(&frame.encode(namespace()));
        let file = folder().join(format!("{major}.{minor}-{name}.hex"));
        if std::env::var_os(WRITE).is_some() {
            fs::write(&file, &written).expect("the folder can be written");
        }
        let golden = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(
            written, golden,
            "{name}: the layout of frames is not that of version {major}.{minor}. Nodes of the last release read and \
             write that one: raise VERSION in protocol/src/envelope.rs (the minor number if they can pass over what \
             is new, else the major), keep the old files, and write new ones with {WRITE}=1"
        );
    }
}

/// Every file of this major version is read, whatever its minor; those of the current version as the sample they are.
#[test]
fn frames_of_every_minor_version_are_read() {
    let mut read = 0;
    for entry in fs::read_dir(folder()).expect("the folder is part of the tree") {
        let path = entry.expect("the folder can be read").path();
        let name = path.file_stem().expect("a file").to_string_lossy().into_owned();
        let bytes = from_hex(&fs::read_to_string(&path).expect("a text")).into();
        let frame = Frame::decode(&bytes, namespace());
        let (version, name) = name.split_once('-').expect("VERSION-NAME");
        if !version.starts_with(&format!("{}.", VERSION.0)) {
            continue;
        }
        let frame = frame.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if version == format!("{}.{}", VERSION.0, VERSION.1) {
            let sample = samples().into_iter().find(|(sample, _)| *sample == name);
            assert_eq!(Some(frame), sample.map(|(_, frame)| frame), "{name}");
        }
        read += 1;
    }
    assert!(read >= samples().len(), "{read} files");
}
