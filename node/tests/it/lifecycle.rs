//! Starting and stopping.

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
}
