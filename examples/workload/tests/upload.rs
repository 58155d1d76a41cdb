//! A file of 1 GiB through a node: what it costs, and that it arrives.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};

const FILE_BYTES: usize = 1 << 30;
const PIECE_BYTES: usize = 1 << 20;
/// What the node may have in memory at any time.
const RESIDENT_BYTES_MAX: usize = 64 << 20;

/// A node in a process of its own, which ends with the test.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it ran");
    }
}

impl Node {
    /// The most memory it ever had, as the kernel counted.
    fn resident_bytes_most(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the kernel counts");
        let kibibytes = line.split_whitespace().nth(1).expect("a number");
        kibibytes.parse::<usize>().expect("a number") * 1024
    }
}

fn text_after<'a>(text: &'a str, marker: &str) -> &'a str {
    text.split_once(marker).unwrap_or_else(|| panic!("no {marker} in {text}")).1
}

#[test]
fn a_gibibyte_is_taken_with_little_memory_and_leaves_nothing_behind() {
    let state = tempfile::tempdir().expect("a folder");
    // On a disk, where the system's folder may be memory.
    let spill = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let mut program = Command::new(env!("CARGO_BIN_EXE_workload"));
    program.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log", "off"]);
    program.args(["--body-bytes-max", "2000000000", "--body-timeout", "5m", "--workers", "2"]);
    program.arg("--state-dir").arg(state.path()).arg("--spill-dir").arg(spill.path());
    let mut node = Node(program.stdout(Stdio::piped()).spawn().expect("it starts"));
    let mut line = String::new();
    BufReader::new(node.0.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let mut words = line.split_whitespace();
    let address = text_after(words.nth(2).expect("its URL"), "http://");
    let admin = words.nth(1).expect("its admin URL");
    let manifest: serde_json::Value = reqwest::blocking::get(format!("{admin}/actions"))
        .and_then(reqwest::blocking::Response::json)
        .expect("a manifest");
    let mut actions = manifest["actions"].as_array().expect("a list").iter();
    let upload = actions.find(|action| action["name"] == "upload").expect("it has one");
    let reference = upload["reference"].as_str().expect("text");

    let before = node.resident_bytes_most();
    let begun = Instant::now();
    let (answer, sha256) = send(address, reference);

    assert!(answer.contains(&format!("\"bytes\":{FILE_BYTES}")), "{answer}");
    assert_eq!(text_after(&answer, "\"sha256\":\"").split('"').next(), Some(sha256.as_str()));
    let resident = node.resident_bytes_most();
    println!(
        "1 GiB in {:?}, {} MiB resident at most, {} MiB before",
        begun.elapsed(),
        resident >> 20,
        before >> 20
    );
    assert!(resident < RESIDENT_BYTES_MAX, "{resident} bytes were resident");
    assert_eq!(spill.path().read_dir().expect("a folder").count(), 0, "a file was left behind");
}

/// Sends the file, and gives the answer and the file's digest.
fn send(address: &str, reference: &str) -> (String, String) {
    let head = "--upload\r\ncontent-disposition: form-data; name=\"1\"; filename=\"large.bin\"\r\ncontent-type: \
                application/x-large\r\n\r\n";
    let tail =
        "\r\n--upload\r\ncontent-disposition: form-data; name=\"0\"\r\n\r\n[\"$B1\"]\r\n--upload--\r\n";
    let body_bytes = head.len() + FILE_BYTES + tail.len();
    let mut socket = TcpStream::connect(address).expect("a connection");
    socket.set_read_timeout(Some(Duration::from_mins(2))).expect("a timeout");
    write!(
        socket,
        "POST / HTTP/1.1\r\nhost: test\r\nconnection: close\r\nnext-action: {reference}\r\ncontent-type: \
         multipart/form-data; boundary=upload\r\ncontent-length: {body_bytes}\r\n\r\n{head}"
    )
    .expect("the node reads");
    // Line ends everywhere, where a delimiter could begin.
    let mut piece: Vec<u8> = (0..PIECE_BYTES).map(|at| if at % 97 == 0 { b'\r' } else { at as u8 }).collect();
    let mut hash = Sha256::new();
    for number in 0..FILE_BYTES / PIECE_BYTES {
        piece[..8].copy_from_slice(&(number as u64).to_le_bytes());
        hash.update(&piece);
        socket.write_all(&piece).expect("the node reads");
    }
    socket.write_all(tail.as_bytes()).expect("the node reads");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("an answer");
    let digest = data_encoding::HEXLOWER.encode(&hash.finalize());
    (String::from_utf8_lossy(&answer).into_owned(), digest)
}
