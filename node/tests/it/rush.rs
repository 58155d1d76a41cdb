//! Everybody asks at once for a page that was just revalidated.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use callboard::{Html, PageContext, PageError, page};

use crate::client::Caller;

/// As many as fit beside the node into the files that a process may usually have open. `cargo xtask bench cache` sends
/// 10,000 to a process of its own.
const REQUESTS: usize = 300;

static RENDERS: AtomicUsize = AtomicUsize::new(0);

#[page("/rushed", tags = ["rushed"])]
async fn rushed(cx: &PageContext) -> Result<Html, PageError> {
    let render = RENDERS.fetch_add(1, Ordering::SeqCst) + 1;
    if render > 1 {
        let journal = cx.state::<crate::order::Journal>();
        journal.note("rendering again");
        journal.released().await;
    }
    Ok(Html::raw(format!("render {render}")))
}

/// Goal: a revalidation costs one render, and nobody who asks after it is given an older one. Method: the render does not
/// end before all have asked.
#[test]
fn however_many_ask_for_a_revalidated_page_it_is_rendered_once() {
    let caller = Caller::start(&[]);
    assert_eq!(caller.get("/rushed").body, "render 1");
    let connect = |_| {
        let connection = TcpStream::connect(caller.node.address()).expect("a connection");
        connection.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
        connection
    };
    let mut connections: Vec<_> = (0..REQUESTS).map(connect).collect();
    assert_eq!(caller.call("publish", r#"["rushed"]"#).status, 200);

    let request = format!("GET /rushed HTTP/1.0\r\nhost: {}\r\n\r\n", caller.node.address());
    for connection in &mut connections {
        connection.write_all(request.as_bytes()).expect("somebody reads");
    }
    caller.journal.wait_for("rendering again");
    caller.journal.release();

    for mut connection in connections {
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.0 200 ") && answer.ends_with("render 2"), "{answer}");
    }
    assert_eq!(RENDERS.load(Ordering::SeqCst), 2);
}
