//! Starting and stopping.

use std::sync::mpsc;

use callboard::App;

use crate::client::Caller;

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
