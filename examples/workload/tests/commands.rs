//! The command line that every application has, as programs and people use it.

#[expect(dead_code, reason = "shared with the tests of the store, which use all of it")]
#[path = "../../../cluster/tests/conformance/server.rs"]
mod redis_server;

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Output, Stdio},
};

use callboard::Settings;
use serde_json::Value as Json;
use tempfile::TempDir;

use redis_server::Server;

/// The program, without any setting of the one who runs the tests.
fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_workload"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CALLBOARD_") || name == "DATABASE_URL" {
            program.env_remove(name);
        }
    }
    program
}

/// A state directory and a key ring that every command of a test uses.
struct Place {
    state: TempDir,
    keys: String,
}

impl Place {
    fn new() -> Self {
        Self { state: tempfile::tempdir().expect("a folder"), keys: new_keys() }
    }

    fn program(&self, arguments: &[&str]) -> Command {
        let mut program = program();
        program.args(arguments).args(["--keys", &self.keys, "--state-dir"]).arg(self.state.path());
        program
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.program(arguments).output().expect("it starts")
    }

    /// What a command that ends well prints.
    fn print(&self, arguments: &[&str]) -> String {
        printed(self.run(arguments))
    }

    fn manifest(&self) -> Json {
        serde_json::from_str(&self.print(&["actions", "--json"])).expect("JSON")
    }

    fn serve(&self) -> Served {
        let mut serve = self.program(&["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log", "off"]);
        let mut process = serve.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        Served { process, line }
    }
}

/// A node in a process of its own, which ends with the test.
struct Served {
    process: Child,
    line: String,
}

impl Served {
    fn admin(&self, path: &str) -> reqwest::blocking::Response {
        let admin = self.line.split_whitespace().nth(4).expect("the admin URL");
        reqwest::blocking::get(format!("{admin}{path}")).expect("an answer")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ran");
    }
}

fn printed(output: Output) -> String {
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), complaints.as_str()), (Some(0), ""));
    String::from_utf8(output.stdout).expect("text")
}

/// The message of a command that fails: exit code 1, nothing on standard output.
fn complaint(output: &Output) -> String {
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{complaint}");
    assert!(complaint.starts_with("error: "), "{complaint}");
    complaint
}

fn new_keys() -> String {
    printed(program().args(["keys", "new"]).output().expect("it starts")).trim_end().to_owned()
}

fn actions(manifest: &Json) -> &[Json] {
    manifest["actions"].as_array().expect("a list")
}

fn text(json: &Json) -> &str {
    json.as_str().expect("text")
}

/// The members of an object, sorted.
fn members(json: &Json) -> Vec<&str> {
    json.as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

fn is_lower_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[test]
fn the_manifest_tells_of_every_action_what_tools_need() {
    let manifest = Place::new().manifest();

    assert_eq!(members(&manifest), ["actions", "build"]);
    assert!(is_lower_hex(text(&manifest["build"])));
    for action in actions(&manifest) {
        let known =
            ["args", "class", "crate", "file", "guard", "id", "line", "location", "name", "reference"];
        assert_eq!(members(action), known);
        let (id, reference) = (text(&action["id"]), text(&action["reference"]));
        assert!(is_lower_hex(reference) && reference.len() == 76, "{action}");
        assert!(id.len() == 42 && reference.starts_with(id), "{action}");
        assert!(text(&action["location"]).starts_with("workload::"), "{action}");
        assert!(text(&action["file"]).contains("src/") && action["line"].as_u64() > Some(0), "{action}");
        assert_eq!(action["crate"], "workload");
        assert!(action["guard"].is_null() || action["guard"].is_string(), "{action}");
        assert!(["plain", "keyed", "serial"].contains(&text(&action["class"])), "{action}");
        for argument in action["args"].as_array().unwrap() {
            assert!(argument["name"].is_string() && argument["type"].is_string(), "{argument}");
        }
    }
}

#[test]
fn the_manifest_tells_actions_apart_and_is_sorted_by_name() {
    let manifest = Place::new().manifest();
    let names: Vec<_> = actions(&manifest).iter().map(|action| text(&action["name"])).collect();
    assert!(names.is_sorted() && names.len() > 20, "{names:?}");

    let of = |name: &str| &actions(&manifest)[names.iter().position(|found| *found == name).unwrap()];
    let class = |name: &str| text(&of(name)["class"]);
    assert_eq!((class("add"), class("keyed_counter"), class("serial_counter")), ("plain", "keyed", "serial"));
    assert_eq!((&of("add")["guard"], &of("add_own")["guard"]), (&Json::Null, &"named".into()));
    let arguments = serde_json::json!([{"name": "a", "type": "f64"}, {"name": "b", "type": "f64"}]);
    assert_eq!(of("add")["args"], arguments);
    // Rest arguments: the client sends whatever it has.
    assert!(text(&of("echo")["id"]).starts_with("7f"));
}

/// Goal: what a tool reads before the node runs is what the node says. Method: one key ring for both.
#[test]
fn a_served_node_says_what_the_command_says() {
    let place = Place::new();
    let node = place.serve();

    let manifest: Json = node.admin("/actions").json().unwrap();

    assert_eq!(manifest, place.manifest());
    let health = node.admin("/healthz");
    assert_eq!((health.status().as_u16(), health.text().unwrap().as_str()), (200, "ok\n"));
}

#[test]
fn the_first_line_tells_where_the_node_is() {
    let place = Place::new();
    let node = place.serve();

    let words: Vec<_> = node.line.split(' ').collect();
    let ["listening", "on", public, "admin", admin, "build", build, "actions", count] = words[..] else {
        panic!("{:?}", node.line);
    };

    let port = |url: &str| url.strip_prefix("http://127.0.0.1:").unwrap().parse::<u16>().unwrap();
    assert!(port(public) != 0 && port(admin) != 0 && port(public) != port(admin), "{:?}", node.line);
    let manifest = place.manifest();
    assert_eq!(build, text(&manifest["build"]));
    assert_eq!(count, format!("{}\n", actions(&manifest).len()));
}

#[test]
fn new_keys_are_a_ring_and_never_the_same() {
    let keys = new_keys();

    let (id, key) = keys.split_once(':').unwrap();
    assert!(id.parse::<u8>().is_ok(), "{keys}");
    // 32 bytes in base64.
    assert!(key.len() == 44 && key.ends_with('='), "{keys}");
    assert_ne!(new_keys(), keys);

    let place = Place { keys, ..Place::new() };
    assert!(!actions(&place.manifest()).is_empty());
    let place = Place { keys: format!("{},1:short", place.keys), ..place };
    assert!(complaint(&place.run(&["actions"])).contains("keys"));
}

#[test]
fn what_was_sealed_opens_again_and_nothing_else_does() {
    let place = Place::new();
    let manifest = place.manifest();
    let reference = |name: &str| {
        let action = actions(&manifest).iter().find(|action| action["name"] == name).unwrap();
        text(&action["reference"]).to_owned()
    };
    let ours = reference("add_sealed");
    let values = r#"[40,"forty",{"n":null}]"#;

    let sealed = place.print(&["seal", "add_sealed", values]);
    let sealed = sealed.trim_end();

    assert_eq!(place.print(&["unseal", &ours, sealed]).trim_end(), values);
    let middle = sealed.len() / 2;
    let other = if sealed.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let altered = format!("{}{other}{}", &sealed[..middle], &sealed[middle + 1..]);
    for (reference, sealed) in [
        (ours.as_str(), altered.as_str()),
        (&ours, &sealed[..middle]),
        (&ours, "no seal at all"),
        // Sealed for another action.
        (&reference("multiply_sealed"), sealed),
        ("no reference at all", sealed),
    ] {
        let complaint = complaint(&place.run(&["unseal", reference, sealed]));
        assert!(complaint.trim_end().len() > "error: ".len(), "{complaint}");
    }
}

#[test]
fn sealing_for_no_action_or_no_array_says_what_is_wrong() {
    let place = Place::new();
    let error = |name: &str, values: &str| complaint(&place.run(&["seal", name, values]));
    assert!(error("add_seal", "[40]").contains("there is no action \"add_seal\""));
    assert!(error("add_sealed", "40").contains("the values are not an array"));
    assert!(error("add_sealed", "[40").contains("the values are not JSON"));
}

#[test]
fn a_file_with_an_unknown_key_is_refused_with_the_nearest_one() {
    let place = Place::new();
    let file = place.state.path().join("callboard.toml");
    let path = file.to_str().unwrap();
    let with = |toml: &str| {
        std::fs::write(&file, toml).unwrap();
        place.run(&["actions", "--config", path])
    };

    let complaint = complaint(&with("body_byte_max = 1000\n"));

    let sentence =
        format!("error: {path}: there is no setting \"body_byte_max\" (did you mean \"body_bytes_max\"?)\n");
    assert_eq!(complaint, sentence);
    assert!(printed(with("body_bytes_max = 1000\n")).contains("add_sealed"));
}

/// How `doctor` ends, and what it prints.
fn doctor(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
    let output = place.run(&[&["doctor", "--log", "off"], arguments].concat());
    (output.status.code(), String::from_utf8(output.stdout).expect("text"))
}

#[test]
fn doctor_ends_with_what_it_found() {
    let place = Place::new();
    let (code, found) = doctor(&place, &["--strict"]);
    assert_eq!((code, found.lines().count()), (Some(0), 4), "{found}");
    assert!(found.lines().all(|line| line.starts_with("ok ")), "{found}");

    // Nobody listens there.
    let (code, found) = doctor(&place, &["--redis", "redis://127.0.0.1:9"]);
    assert_eq!(code, Some(1));
    let lines: Vec<_> = found.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    let problem = lines.iter().position(|words| words.starts_with(&["problem", "redis"])).unwrap();
    assert_eq!((lines[problem + 1][0], lines[problem + 2][0]), ("why:", "do:"), "{found}");

    let redis = Server::durable();
    redis.command("CONFIG SET maxmemory-policy allkeys-lru");
    let (code, found) = doctor(&place, &["--redis", &redis.url()]);
    assert!(code == Some(0) && found.contains("warning  eviction"), "{found}");
    assert_eq!(doctor(&place, &["--redis", &redis.url(), "--strict"]).0, Some(1));
    redis.command("CONFIG SET maxmemory 1073741824");
    assert_eq!(doctor(&place, &["--redis", &redis.url()]).0, Some(1));
}

#[test]
fn doctor_that_could_not_look_ends_with_another_code_than_one_that_found_something() {
    let place = Place::new();
    for arguments in [&["--body-bytes-max", "much"][..], &["--redis", "http://nowhere"], &["--no-such-flag"]]
    {
        let output = place.run(&[&["doctor"], arguments].concat());
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{arguments:?}");
        assert!(output.stderr.starts_with(b"error: "), "{arguments:?}");
    }
}

#[test]
fn doctor_tells_programs_the_same() {
    let place = Place::new();
    let json = |arguments: &[&str]| -> (Option<i32>, Json) {
        let (code, found) = doctor(&place, &[&["--json"], arguments].concat());
        (code, serde_json::from_str(&found).unwrap())
    };
    let (code, alone) = json(&[]);
    let (problem_code, problem) = json(&["--redis", "redis://u:s3cret@127.0.0.1:9"]);

    assert_eq!((code, &alone["verdict"]), (Some(0), &"ok".into()));
    assert_eq!((problem_code, &problem["verdict"]), (Some(1), &"problem".into()));
    for found in [&alone, &problem] {
        assert_eq!(members(found), ["checks", "verdict"]);
        for check in found["checks"].as_array().unwrap() {
            assert_eq!(members(check), ["advice", "found", "meaning", "subject", "verdict"]);
            assert_eq!(text(&check["advice"]).is_empty(), check["verdict"] == "ok", "{check}");
            assert!(!text(&check["meaning"]).is_empty() && !text(&check["found"]).is_empty(), "{check}");
        }
    }
    assert!(!problem.to_string().contains("s3cret"));
    let subject = |check: &Json| text(&check["subject"]).to_owned();
    let subjects: Vec<_> = alone["checks"].as_array().unwrap().iter().map(subject).collect();
    assert_eq!(subjects, ["state-dir", "spill-dir", "redis", "keys"]);
}

#[test]
fn help_lists_every_setting_with_its_default_and_variable() {
    let help = printed(program().arg("--help").output().unwrap());
    // Lines are wrapped at the width of whoever reads.
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for setting in Settings::TABLE {
        let flag = format!("--{} <{}>", setting.flag(), setting.unit);
        assert!(help.contains(&flag), "{flag}");
        assert!(help.contains(&format!("[environment: {}]", setting.variable())), "{flag}");
        if !setting.default.is_empty() {
            assert!(help.contains(&format!("[default: {}]", setting.default)), "{flag}");
        }
    }
}
