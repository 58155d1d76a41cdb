//! Large files: where their bytes are while a call has them, and what is left afterwards.

use callboard::{ActionContext, Failure, Form, Html, PageContext, PageError, action, js::File, page};
use callboard_protocol::value::BlobContent;
use serde::Deserialize;

use crate::{
    client::{Answer, Caller},
    cluster::Cluster,
};

const BOUNDARY: &str = "uploads";
const MULTIPART: (&str, &str) = ("content-type", "multipart/form-data; boundary=uploads");

/// Where a file is, how long it is, and the sum of its bytes.
fn description(file: &File) -> Result<String, Failure> {
    let place = match &file.content {
        BlobContent::Memory(_) => "memory",
        BlobContent::Spilled(_) => "disk",
    };
    let bytes = file.content.bytes()?;
    let sum: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
    Ok(format!("{place} {} {sum}", bytes.len()))
}

#[action(public, name = "describe_files")]
async fn describe_files(_cx: &ActionContext, files: Vec<File>) -> Result<Vec<String>, Failure> {
    files.iter().map(description).collect()
}

#[derive(Deserialize)]
struct Upload {
    file: File,
}

#[action(public, name = "describe_form")]
async fn describe_form(cx: &ActionContext, form: Form<Upload>) -> Result<(), Failure> {
    cx.redirect(format!("/{}", description(&form.file)?.replace(' ', "-")));
    Ok(())
}

#[action(public, name = "describe_large", body_bytes_max = 3_000_000)]
async fn describe_large(cx: &ActionContext, #[bound] album: u8, form: Form<Upload>) -> Result<(), Failure> {
    assert_eq!(album, 1);
    describe_form::call(cx, form).await
}

#[page("/upload")]
async fn upload_page(cx: &PageContext) -> Result<Html, PageError> {
    cx.form(describe_large.bind(&1))
}

/// The bytes of a file that differs from any other of this length only by luck.
fn bytes(seed: u64, count: usize) -> Vec<u8> {
    (0..count as u64).map(|at| ((at + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

fn expected(place: &str, content: &[u8]) -> String {
    let sum: u64 = content.iter().map(|byte| u64::from(*byte)).sum();
    format!("{place} {} {sum}", content.len())
}

fn file_part(name: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"data.bin\"\r\n\r\n"
    );
    [head.as_bytes(), content, b"\r\n"].concat()
}

/// A call whose one argument is a list of these files.
fn call(caller: &Caller, files: &[Vec<u8>]) -> Answer {
    let list: Vec<_> = (1..=files.len()).map(|id| format!("\"$B{id:x}\"")).collect();
    let root = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"0\"\r\n\r\n[[{}]]\r\n",
        list.join(",")
    );
    let files = files.iter().enumerate().map(|(at, file)| file_part(&format!("{:x}", at + 1), file));
    let body = [files.collect::<Vec<_>>().concat(), root.into_bytes()].concat();
    let body = [body, format!("--{BOUNDARY}--\r\n").into_bytes()].concat();
    caller.post("/", &[("next-action", caller.reference("describe_files")), MULTIPART], body)
}

#[test]
fn files_that_are_small_together_stay_in_memory_and_the_others_go_to_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let spill_dir = folder.path().to_str().expect("text");
    let caller = Caller::start(&[("spill_bytes", "10000"), ("spill_dir", spill_dir)]);
    let files = [bytes(1, 4000), bytes(2, 700_000), bytes(3, 6000), bytes(4, 1), bytes(5, 0)];

    let answer = call(&caller, &files);

    let places = ["memory", "disk", "memory", "disk", "memory"];
    let expected: Vec<_> = places.iter().zip(&files).map(|(place, file)| expected(place, file)).collect();
    assert_eq!(answer.row(), serde_json::to_string(&expected).expect("JSON"));
    assert_eq!(folder.path().read_dir().expect("a folder").count(), 0, "a file was left behind");
}

#[test]
fn a_forms_large_file_goes_to_disk_too() {
    let caller = Caller::start(&[("spill_bytes", "10000")]);
    let content = bytes(1, 300_000);
    let marker = format!("$ACTION_ID_{}", caller.reference("describe_form"));
    let marker =
        format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{marker}\"\r\n\r\n\r\n").into_bytes();
    let end = format!("--{BOUNDARY}--\r\n").into_bytes();
    let body = [marker, file_part("file", &content), end].concat();

    let answer = caller.post("/", &[MULTIPART], body);

    let expected = format!("/{}", expected("disk", &content).replace(' ', "-"));
    assert_eq!((answer.status, answer.header("location")), (303, expected.as_str()));
}

/// Goal: whoever has seen no page that takes large files cannot have one kept. Method: the same file behind the fields of
/// an action that takes it, in front of them, and behind fields that name no such action.
#[test]
fn a_form_is_read_beyond_the_usual_limit_only_once_it_names_an_action_that_takes_more() {
    let caller = Caller::start(&[("spill_bytes", "10000"), ("body_bytes_max", "1000")]);
    let field = |(name, value): &(String, String)| {
        let head = format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
        format!("{head}{value}\r\n").into_bytes()
    };
    let id = |reference: &str| field(&(format!("$ACTION_ID_{reference}"), String::new()));
    let content = bytes(1, 2_000_000);
    let file = file_part("file", &content);
    let post = |parts: &[&[u8]]| {
        let end = format!("--{BOUNDARY}--\r\n").into_bytes();
        caller.post("/upload", &[MULTIPART], [parts.concat(), end].concat())
    };
    let names: Vec<u8> = caller.get("/upload").hidden_fields().iter().flat_map(field).collect();

    let taken = post(&[&names, &file]);
    let expected = format!("/{}", expected("disk", &content).replace(' ', "-"));
    assert_eq!((taken.status, taken.header("location")), (303, &*expected), "{}", taken.body);

    let usual = id(caller.reference("describe_form"));
    let forged = id(&caller.reference("describe_large").replace(['0', '1'], "2"));
    let many = id("nobody").repeat(100);
    for parts in
        [&[&*file, &names][..], &[&file], &[&usual, &file], &[&forged, &file], &[&many, &names, &file]]
    {
        let refused = post(parts);
        assert_eq!((refused.status, refused.header("callboard-error")), (413, "body-too-large"));
        assert!(refused.body.contains("the body is larger than 1000 bytes"), "{}", refused.body);
    }
}

#[test]
fn a_file_that_cannot_be_kept_is_told_and_nothing_ran() {
    let folder = tempfile::tempdir().expect("a folder");
    let spill_dir = folder.path().to_str().expect("text");
    let caller = Caller::start(&[("spill_bytes", "10"), ("spill_dir", spill_dir)]);
    folder.close().expect("it is removed under the node");
    let answer = call(&caller, &[bytes(1, 11)]);
    assert_eq!((answer.status, answer.header("callboard-error")), (503, "spill-failed"));
    assert_eq!((answer.header("callboard-outcome"), answer.header("retry-after")), ("not-run", "1"));
    assert_eq!(answer.body, "a large file cannot be kept at the moment: entity not found");
    assert_eq!(call(&caller, &[bytes(1, 10)]).status, 200);
}

/// Goal: a full disk of one node is nobody's mistake. Method: the folders of all nodes but one are gone, so that most
/// likely a call of that one's client would have gone to another.
#[test]
fn a_call_whose_files_another_node_cannot_keep_runs_elsewhere() {
    let mut cluster = Cluster::start_with(1, &[("spill_bytes", "10")]);
    for _ in 0..3 {
        let folder = tempfile::tempdir().expect("a folder");
        let spill_dir = folder.path().to_str().expect("text");
        cluster.join(&[("spill_bytes", "10"), ("spill_dir", spill_dir)]);
        folder.close().expect("it is removed under the node");
    }
    cluster.wait_until_agreed();
    let file = bytes(1, 200_000);
    let answer = call(&cluster.nodes[0], std::slice::from_ref(&file));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.row(), serde_json::to_string(&[expected("disk", &file)]).expect("JSON"));
}

#[test]
fn what_is_on_disk_counts_for_the_bodys_limit() {
    let caller = Caller::start(&[("spill_bytes", "10"), ("body_bytes_max", "20000")]);
    let answer = call(&caller, &[bytes(1, 20_000)]);
    assert_eq!((answer.status, answer.header("callboard-error")), (413, "body-too-large"));
    assert_eq!(call(&caller, &[bytes(1, 19_000)]).status, 200);
}

#[test]
fn whoever_may_not_call_is_told_before_his_body_is_read() {
    let caller = Caller::start(&[]);
    // No boundary anywhere in it: decoding it would be refused.
    let answer = caller.post("/", &[("next-action", caller.reference("whoami")), MULTIPART], "no form");
    assert_eq!((answer.status, answer.header("callboard-error")), (401, "unauthorized"));
    // What is said to be too large needs no guard to be refused.
    let large = vec![b'x'; 1_048_577];
    let answer = caller.post("/", &[("next-action", caller.reference("whoami")), MULTIPART], large);
    assert_eq!((answer.status, answer.header("callboard-error")), (413, "body-too-large"));
}
