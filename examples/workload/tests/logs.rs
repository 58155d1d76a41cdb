//! What a node writes to its log: as much as somebody reads, in a form that programs read, and nothing that is secret.

#[expect(dead_code, reason = "shared with the tests of the store, which use all of it")]
#[path = "../../../cluster/tests/conformance/server.rs"]
mod redis_server;

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use reqwest::blocking::{Client, RequestBuilder, Response, multipart::Form};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use tempfile::TempDir;

use redis_server::Server;

/// A node in a process of its own, and its log in a file.
struct Node {
    process: Child,
    public: String,
    admin: String,
    http: Client,
    token: String,
    place: TempDir,
}

impl Node {
    fn start(settings: &[(&str, &str)]) -> Self {
        let place = tempfile::tempdir().expect("a folder");
        let log = File::create(place.path().join("log")).expect("a file");
        let mut program = Command::new(env!("CARGO_BIN_EXE_workload"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CALLBOARD_") || name == "DATABASE_URL" {
                program.env_remove(name);
            }
        }
        program.env_remove("RUST_BACKTRACE");
        program.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--state-dir"]).arg(place.path());
        for (name, value) in settings {
            program.env(format!("CALLBOARD_{}", name.to_uppercase()), value);
        }
        let mut process = program.stdout(Stdio::piped()).stderr(log).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let mut urls = line.split_whitespace().filter(|word| word.starts_with("http://")).map(str::to_owned);
        let token = settings.iter().find(|(name, _)| *name == "admin_token").map_or("", |(_, token)| token);
        Self {
            process,
            public: urls.next().expect("its URL"),
            admin: urls.next().expect("its admin URL"),
            http: Client::new(),
            token: token.to_owned(),
            place,
        }
    }

    fn admin(&self, path: &str) -> Response {
        let asked = self.http.get(format!("{}{path}", self.admin)).bearer_auth(&self.token);
        asked.send().expect("an answer")
    }

    fn reference(&self, name: &str) -> String {
        let manifest: Json = self.admin("/actions").json().expect("a manifest");
        let mut actions = manifest["actions"].as_array().expect("a list").iter();
        let action = actions.find(|action| action["name"] == name).expect("it has one");
        action["reference"].as_str().expect("text").to_owned()
    }

    fn request(&self, reference: &str) -> RequestBuilder {
        self.http.post(&self.public).header("next-action", reference)
    }

    /// Ends it as an operator does, and gives its log.
    fn stop(mut self) -> String {
        let id = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(id, Signal::TERM).expect("it runs");
        assert!(self.process.wait().expect("it ran").success());
        std::fs::read_to_string(self.place.path().join("log")).expect("text")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It has ended where the test came to its end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Most lines of a flood of a kind: ten a minute, and another minute may have begun.
const LINES_MAX: u64 = 20;

/// How many lines there are of a kind, and how many it says were left out.
fn counted<'a>(lines: &'a [Json], message: &str, names: &str) -> (Vec<&'a Json>, u64) {
    let fields = |line: &'a Json| &line["fields"];
    let told =
        |fields: &&Json| fields["line"] == message && fields["names"].as_str().expect("text").contains(names);
    let left_out = lines.iter().map(fields).filter(|fields| fields["message"] == "lines were left out");
    let left_out = left_out.filter(told).map(|fields| fields["repeated"].as_u64().expect("a number")).sum();
    let is_it = |fields: &&Json| {
        let (name, value) = names.split_once('=').expect("a name");
        fields["message"] == message && fields[name].as_str().is_some_and(|text| text.contains(value))
    };
    (lines.iter().map(fields).filter(is_it).collect(), left_out)
}

fn is_id(field: &Json) -> bool {
    field.as_str().is_some_and(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Goal: whoever is called at night finds the calls that failed, and a disk that is not full of them. Method: floods of calls
/// that fail, that panic, and whose answer fails in its middle.
#[test]
fn a_flood_of_failing_calls_is_a_few_lines_and_the_number_of_the_others() {
    const CALLS: u64 = 300;
    let node = Node::start(&[("log_format", "json")]);
    let floods = [
        ("fail", r#"["no-such-page"]"#, "action failed"),
        ("panic_now", "[]", "action failed"),
        ("stream_fails", r#"[1,"no-such-page"]"#, "a part of an answer failed"),
    ];
    for (action, body, _) in floods {
        let reference = node.reference(action);
        for _ in 0..CALLS {
            node.request(&reference).body(body).send().and_then(Response::text).unwrap();
        }
    }

    let log = node.stop();

    let lines: Vec<Json> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for (action, _, message) in floods {
        let (said, left_out) = counted(&lines, message, &format!("action={action}"));
        assert!(said.len() as u64 <= LINES_MAX, "{log}");
        assert_eq!(said.len() as u64 + left_out, CALLS, "{log}");
        let calls: BTreeSet<_> = said.iter().map(|fields| fields["call"].to_string()).collect();
        assert_eq!(calls.len(), said.len(), "each is another call");
        assert!(said.iter().all(|fields| is_id(&fields["call"]) && is_id(&fields["trace"])), "{said:?}");
    }
    let (said, left_out) = counted(&lines, "panicked", "place=examples/workload/src/main.rs");
    assert!(!said.is_empty() && said.len() as u64 <= LINES_MAX, "{log}");
    assert_eq!(said.len() as u64 + left_out, CALLS, "{log}");
    let panicked = lines.iter().find(|line| line["fields"]["message"] == "panicked").unwrap();
    assert_eq!(panicked["span"]["action"], "panic_now");
    assert!(is_id(&panicked["span"]["call"]) && is_id(&panicked["span"]["trace"]), "{panicked}");
}

#[test]
fn a_panic_is_told_where_the_log_takes_none() {
    let node = Node::start(&[("log", "off")]);
    node.request(&node.reference("panic_now")).body("[]").send().and_then(Response::text).unwrap();

    let log = node.stop();

    assert!(log.contains("panicked at examples/workload/src/main.rs"), "{log}");
}

const KEYS: &str = "7:c2VjcmV0IG9mIHRoZSBrZXkgcmluZywgMzIgYnl0ZXM=";

/// Sends calls of all kinds with a text in them that is nobody's business, and asks the admin port.
fn visit(node: &Node) {
    while node.admin("/readyz").status() != 200 {}
    for action in ["echo", "add", "keyed_counter", "panic_now", "not_found", "add_own", "read_cookie"] {
        let reference = node.reference(action);
        let private = |request: RequestBuilder| {
            let request = request.header("origin", &node.public);
            let request = request.header("cookie", "name=private-cookie; other=private-cookie");
            request
                .header("authorization", "Bearer private-header")
                .header("x-key", "private-header")
                .send()
                .expect("an answer")
        };
        for body in [r#"["private-argument",1]"#, r#"["private-argument","#, r#"[1,{"private-argument":1}]"#]
        {
            let answer = private(node.request(&reference).body(body));
            assert!(action != "echo" || body.ends_with(',') || answer.status() == 200, "{answer:?}");
        }
        let form =
            Form::new().text("1", r#"{"a":"private-argument"}"#).text("0", r#"["$K1","private-argument"]"#);
        private(node.request(&reference).multipart(form));
        let form = Form::new().text(format!("$ACTION_ID_{reference}"), "").text("a", "private-argument");
        private(node.http.post(&node.public).multipart(form));
        private(node.http.get(format!("{}/sealed", node.public)));
    }
    for path in ["/metrics", "/status", "/explain?path=/sealed"] {
        node.admin(path);
        let stranger =
            node.http.get(format!("{}{path}", node.admin)).bearer_auth("private-header-of-a-stranger");
        assert_eq!(stranger.send().expect("an answer").status(), 401);
    }
    let order = node.http.post(format!("{}/revalidate", node.admin)).body(r#"{"tags":["private-argument"]}"#);
    assert_eq!(
        order.header("callboard-signature", "private-header").send().expect("an answer").status(),
        401
    );
}

/// A collector that refuses whatever it is sent, until the process ends.
fn unwilling_collector() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            // Whether it is all read and all heard does not matter.
            let _ = socket.read(&mut [0; 1 << 12]);
            let _ = socket
                .write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    url
}

/// Goal: a log can be shown to others. Method: a node with every secret that it can have, everything logged, and calls with
/// texts that are nobody's business wherever a client can write.
#[test]
fn a_log_tells_no_secret_and_no_argument_whatever_its_level() {
    let redis = Server::with(&["--appendonly", "no", "--requirepass", "secret-of-redis"]);
    let url = format!("redis://:secret-of-redis@127.0.0.1:{}", redis.port);
    let collector = unwilling_collector();
    for format in ["json", "pretty"] {
        let node = Node::start(&[
            ("log", "trace"),
            ("log_format", format),
            ("keys", KEYS),
            ("admin_token", "secret-of-the-admin-port"),
            ("webhook_secret", "secret-of-the-webhook"),
            ("redis", &url),
            ("otlp_endpoint", &collector),
            ("otlp_headers", "x-token=secret-of-the-collector"),
            ("trace_ratio", "1"),
        ]);
        visit(&node);

        let log = node.stop();

        for said in ["TRACE", "a webhook was refused", "does not take spans", "action failed"] {
            assert!(log.contains(said), "{said} is not in the log");
        }
        let (_, key) = KEYS.split_once(':').unwrap();
        for text in ["secret-of", "private-", key, key.trim_end_matches('=')] {
            let line = log.lines().find(|line| line.contains(text));
            assert_eq!(line, None, "{text} is in the log");
        }
    }
}
