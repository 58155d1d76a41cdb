//! Starting and stopping.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::mpsc,
};

use callboard::{ActionContext, App, GuardContext, Principal, Refusal, action};

use crate::{
    arriving::Wire,
    client::Caller,
    cluster::Cluster,
    metrics::{number, scrape},
    order::Journal,
};

/// Says that a call is there; it is asked before anything of its body is read.
async fn noted(request: &GuardContext) -> Result<Principal, Refusal> {
    request.state::<Journal>().note("somebody calls");
    Ok(Principal::new("somebody"))
}

#[action(guard = noted, name = "late_sum")]
async fn late_sum(_cx: &ActionContext, a: u32, b: u32) -> u32 {
    a + b
}

#[action(guard = noted, name = "late_line", key = key)]
async fn late_line(_cx: &ActionContext, key: String, b: u32) -> u32 {
    b + u32::try_from(key.len()).unwrap_or(0)
}

#[test]
fn a_running_call_is_seen_through_and_no_other_is_taken() {
    let mut caller = Caller::start(&[]);
    let journal = caller.journal.clone();
    let (address, http) = (caller.url("/"), caller.http.clone());
    let reference = caller.reference("wait").to_owned();
    let admin = format!("http://{}/readyz", caller.node.admin());
    assert_eq!(http.get(&admin).send().expect("an answer").status(), 200);

    let call = {
        let (http, address, reference) = (http.clone(), address.clone(), reference.clone());
        std::thread::spawn(move || http.post(address).header("next-action", reference).body("[]").send())
    };
    journal.wait_for("waiting");
    caller.node.begin_stop();
    while http.get(&admin).send().expect("an answer").status() != 503 {}

    let refused = http.post(&address).header("next-action", &reference).body("[]").send().expect("an answer");
    assert_eq!(
        (refused.status().as_u16(), refused.text().expect("text")),
        (503, "the node is stopping".into())
    );

    journal.release();
    assert_eq!(call.join().expect("no panic").expect("an answer").status(), 200);
    drop(caller);
    assert!(http.get(&address).send().is_err(), "the node is gone");
}

/// Goal: whoever watches a roll-out sees which nodes stop, and what for they wait. Method: a node that waits for a call is asked
/// for its metrics before and while it drains.
#[test]
fn a_node_that_drains_says_so_in_its_metrics() {
    let mut caller = Caller::start(&[]);
    let journal = caller.journal.clone();
    let call = {
        let request = caller.http.post(caller.url("/")).header("next-action", caller.reference("wait"));
        std::thread::spawn(move || request.body("[]").send())
    };
    journal.wait_for("waiting");
    let told = |caller: &Caller| {
        let series = scrape(caller);
        ["callboard_draining", "callboard_calls_in_flight"].map(|name| number(&series, name, &[]))
    };
    assert_eq!(told(&caller), [0.0, 1.0]);

    caller.node.begin_stop();
    wait_until_it_drains(&caller);

    assert_eq!(told(&caller), [1.0, 1.0]);
    journal.release();
    assert_eq!(call.join().expect("no panic").expect("an answer").status(), 200);
}

/// Goal: a stopping node runs what it accepted, also what waits in line when its client is gone.
#[test]
fn a_call_that_waits_in_line_is_seen_through_when_the_node_stops() {
    let mut caller = Caller::start(&[("key_queue_max", "1")]);
    let journal = caller.journal.clone();
    let (answered, answers) = mpsc::channel();
    let send = |body: &'static str| {
        let request =
            caller.http.post(caller.url("/")).header("next-action", caller.reference("line")).body(body);
        let answered = answered.clone();
        std::thread::spawn(move || answered.send(request.send().expect("an answer").status().as_u16()));
    };
    send(r#"["a",1,true]"#);
    journal.wait_for("a begins 1");
    // Of two more, one finds room in the line; when the other is refused, it stands there.
    send(r#"["a",2,true]"#);
    send(r#"["a",2,true]"#);
    assert_eq!(answers.recv().expect("an answer"), 503);

    caller.node.begin_stop();
    journal.release();
    journal.wait_for("a begins 2");
    journal.release();
    assert_eq!([answers.recv(), answers.recv()], [Ok(200), Ok(200)]);
    drop(caller);
    assert!(journal.notes().contains(&"a ends 2".to_owned()));
}

/// The calls of which a node has read the head alone.
fn opened(caller: &Caller, actions: &[(&str, &str)]) -> Vec<Wire> {
    let open = |(at, (action, headers)): (usize, &(&str, &str))| {
        let wire = Wire::open_with(caller, action, headers);
        caller.journal.wait_for_many("somebody calls", at + 1);
        wire
    };
    actions.iter().enumerate().map(open).collect()
}

/// Waits until a node says that it stops.
fn wait_until_it_drains(caller: &Caller) {
    let admin = format!("http://{}/readyz", caller.node.admin());
    assert_eq!(caller.until(&admin, |answer| answer.status == 503).body, "draining\n");
}

const KEY: &str = "idempotency-key: \"0f1e2d3c4b5a69788796a5b4c3d2e1f0\"\r\n";

/// Goal: whoever called before his node was told to stop is answered, although he still sends. Method: calls of every way
/// there is through a node, of each of which a node that is alone, and then one of a cluster, has the head alone; it is told
/// to stop, and only when it says that it does, they send the rest.
#[test]
fn a_call_whose_body_still_arrives_is_seen_through_when_the_node_stops() {
    let mut cluster = Cluster::start(2);
    let (alone, member) = (Caller::start(&[]), cluster.nodes.remove(0));
    for mut caller in [alone, member] {
        let wires = opened(&caller, &[("late_sum", ""), ("late_sum", KEY), ("late_line", "")]);
        caller.node.begin_stop();
        wait_until_it_drains(&caller);
        let refused = caller.call("late_sum", "[1,2]");
        assert_eq!((refused.status, refused.header("callboard-error")), (503, "draining"));
        for (mut wire, arguments) in wires.into_iter().zip(["[1,2]", "[1,2]", r#"["a",2]"#]) {
            wire.part("0", arguments);
            wire.end();
            let answer = wire.read_until("1:3\n");
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    }
}

/// The same for a form, which is known to be a call once it has named its action.
#[test]
fn a_form_whose_file_still_arrives_is_seen_through_when_the_node_stops() {
    const HALF: usize = 16 << 20;
    let mut caller = Caller::start(&[("body_bytes_max", "100000000")]);
    let marker = format!("$ACTION_ID_{}", caller.reference("describe_form"));
    let half = vec![b'x'; HALF];
    let mut head = format!(
        "--form\r\ncontent-disposition: form-data; name=\"{marker}\"\r\n\r\n\r\n--form\r\ncontent-disposition: \
         form-data; name=\"file\"; filename=\"data.bin\"\r\n\r\n"
    );
    let end = "\r\n--form--\r\n";
    let length = head.len() + 2 * HALF + end.len();
    head.insert_str(
        0,
        &format!(
            "POST / HTTP/1.1\r\nhost: it\r\ncontent-type: multipart/form-data; boundary=form\r\n\
             content-length: {length}\r\n\r\n"
        ),
    );
    let mut socket = TcpStream::connect(caller.node.address()).expect("a connection");
    // More than all buffers on the way take: when it is written, the node has read the head of it.
    for bytes in [head.as_bytes(), &half] {
        socket.write_all(bytes).expect("the node reads");
    }
    caller.node.begin_stop();
    wait_until_it_drains(&caller);
    for bytes in [&half, end.as_bytes()] {
        socket.write_all(bytes).expect("the node reads");
    }
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    assert!(answer.contains(&format!("location: /disk-{}-", 2 * HALF)), "{answer}");
}

/// Goal: a client that sends nothing more keeps no node from stopping, nor from leaving its cluster, and hears of it.
#[test]
fn a_body_that_does_not_come_is_refused_when_the_node_stops() {
    let settings = [("drain_timeout", "6s")];
    let mut cluster = Cluster::start_with(2, &settings);
    let (alone, member) = (Caller::start(&settings), cluster.nodes.remove(0));
    std::thread::scope(|scope| {
        for mut caller in [alone, member] {
            scope.spawn(move || {
                let mut wires = opened(&caller, &[("late_sum", ""), ("late_line", "")]);
                caller.node.begin_stop();
                for wire in &mut wires {
                    let head = wire.read_until("\r\n\r\n");
                    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
                    assert!(head.contains("callboard-error: draining"), "{head}");
                    assert!(head.contains("callboard-outcome: not-run"), "{head}");
                }
            });
        }
    });
    // It handed over what was its own.
    for key in 0..8 {
        assert_eq!(cluster.nodes[0].call("late_line", &format!(r#"["k{key}",1]"#)).row(), "3");
    }
}

#[test]
fn settings_that_are_none_keep_the_node_from_starting() {
    let start = |settings: &[(&str, &str)]| {
        let state = tempfile::tempdir().expect("a folder");
        let folder = state.path().to_str().expect("text").to_owned();
        let mut all = vec![("state_dir", folder.as_str()), ("log", "off")];
        all.extend_from_slice(settings);
        App::new("it").start(&all).err().expect("an error").to_string()
    };
    assert!(start(&[("body_bytes_max", "much")]).contains("expected a whole number, found \"much\""));
    assert!(start(&[("bodybytes_max", "1")]).contains("did you mean \"body_bytes_max\""));
    assert!(start(&[("allowed_origins", "https://app.example")]).contains("allowed_origins"));
    assert!(start(&[("keys", "1:short")]).contains("keys"));
    assert!(start(&[("listen", "nowhere")]).contains("cannot listen on nowhere (setting listen)"));
    // Missing, no folder, and one in which nobody can make a file.
    for folder in ["/nowhere/at/all", "/dev/null", "/proc"] {
        let error = start(&[("spill_dir", folder)]);
        let expected =
            format!("no temporary file can be made in {folder} (setting spill_dir): name a folder that");
        assert!(error.starts_with(&expected), "{error}");
    }
}
