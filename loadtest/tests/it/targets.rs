//! Targets that are not as they should be, and wrong use: each is told, with what to do, and nothing is loaded.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};

use crate::{
    command::{Running, Told, loadtest},
    liar::{Liar, Lie},
};

const SHORT: [&str; 8] = ["--rate", "50", "--duration", "500ms", "--warm-up", "0s", "--wait", "200ms"];

async fn echo(more: &[&str]) -> Told {
    loadtest(["run", "echo"].iter().chain(&SHORT).chain(more)).await
}

/// A server that answers every connection with these bytes, and then closes it.
async fn answers(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    serve(listener, bytes);
    format!("http://{address}")
}

fn serve(listener: TcpListener, bytes: &'static [u8]) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut received = [0; 1024];
                if client.read(&mut received).await.is_ok_and(|count| count > 0) {
                    // Clients that have seen enough are gone.
                    let _ = client.write_all(bytes).await;
                }
            });
        }
    })
}

/// What a node prints of an action for scenarios of `echo`.
const MANIFEST: &str = r#"{"build":"x","actions":[{"reference":"r","id":"r","name":"echo"}]}"#;

/// The same in a file.
fn manifest(folder: &std::path::Path) -> String {
    let file = folder.join("actions.json");
    std::fs::write(&file, MANIFEST).unwrap();
    file.to_str().unwrap().to_owned()
}

async fn garbage(bytes: &'static [u8]) -> Told {
    let folder = tempfile::tempdir().unwrap();
    let (url, manifest) = (answers(bytes).await, manifest(folder.path()));
    echo(&["--target", &url, "--manifest", &manifest, "--json", "--quiet"]).await
}

#[tokio::test]
async fn a_target_that_is_down_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let told = echo(&["--target", &url]).await;
    assert_eq!(told.code, Some(1), "{}", told.error);
    assert!(told.error.contains(&url) && told.error.contains("--wait"), "{}", told.error);
}

#[tokio::test]
async fn a_target_that_starts_late_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let place = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (url, manifest) = (format!("http://{place}"), manifest(folder.path()));
    let words = ["run", "echo", "--rate", "50", "--duration", "500ms", "--warm-up", "0s", "--wait", "1m"];
    let more = ["--target", &url, "--manifest", &manifest, "--json"];
    let mut running = Running::start(words.into_iter().chain(more));
    running.says("waiting for").await;
    let _server =
        serve(TcpListener::bind(place).await.unwrap(), b"HTTP/1.1 404 Not\r\ncontent-length: 0\r\n\r\n");
    assert!(running.end().await.results()["total"]["requests"].as_u64().unwrap() > 10);
}

#[tokio::test]
async fn a_run_that_is_interrupted_says_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let liar = Liar::start(Lie::Nothing, folder.path().join("ledger")).await.unwrap();
    let url = format!("http://{}", liar.address);
    let words = ["run", "echo", "--rate", "100", "--duration", "1h", "--warm-up", "0s", "--json"];
    let mut running = Running::start(words.into_iter().chain(["--target", &url, "--admin", &url]));
    running.says(" done ").await;
    running.interrupt();
    let told = running.end().await;
    let results = told.results();
    assert!(results["partial"].as_str().unwrap().starts_with("stopped by hand after"), "{}", told.error);
    assert!(results["total"]["requests"].as_u64().unwrap() > 10);
}

#[tokio::test]
async fn a_search_that_is_interrupted_says_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let liar = Liar::start(Lie::Nothing, folder.path().join("ledger")).await.unwrap();
    let url = format!("http://{}", liar.address);
    let words =
        ["capacity", "echo", "--duration", "1s", "--warm-up", "0s", "--repeats", "1", "--start", "20"];
    let more = ["--slo", "p99<10s,errors<1%,achieved>0.5", "--target", &url, "--admin", &url];
    let mut running = Running::start(words.into_iter().chain(more));
    running.says("achieved").await;
    running.interrupt();
    let told = running.end().await;
    assert_eq!(told.code, Some(1), "{}", told.error);
    assert!(told.out.contains("stopped by hand") && told.out.contains("20.0/s"), "{}", told.out);
}

#[tokio::test]
async fn a_run_is_held_to_its_objectives() {
    let folder = tempfile::tempdir().unwrap();
    let liar = Liar::start(Lie::Nothing, folder.path().join("ledger")).await.unwrap();
    let url = format!("http://{}", liar.address);
    for (slo, code) in [("max<60s,errors<1%,achieved>0.01", 0), ("p50<1us", 1), ("p98<1s", 2)] {
        let told = echo(&["--target", &url, "--admin", &url, "--json", "--quiet", "--slo", slo]).await;
        assert_eq!(told.code, Some(code), "{slo}: {}", told.error);
        if code < 2 {
            assert_eq!(told.results()["objectives"][0]["held"], code == 0, "{slo}");
        }
    }
}

#[tokio::test]
async fn answers_that_are_none_are_counted_and_break_a_promise() {
    for bytes in
        [&b"hello\r\n\r\n"[..], b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort", b"\x16\x03\x01\x00"]
    {
        let told = garbage(bytes).await;
        assert_eq!(told.code, Some(1), "{}", told.error);
        assert_eq!(told.broken()[0].0, "truth");
        assert!(told.results()["total"]["outcomes"]["broken"].as_u64().unwrap() > 10);
    }
}

#[tokio::test]
async fn redirects_are_not_followed_and_told() {
    let bytes = b"HTTP/1.1 302 Found\r\nlocation: http://192.0.2.7/\r\ncontent-length: 0\r\n\r\n";
    let told = garbage(bytes).await;
    let warnings = told.results()["generator"]["warnings"].to_string();
    assert!(warnings.contains("redirects to http://192.0.2.7/"), "{warnings}");
}

#[tokio::test]
async fn whoever_speaks_no_tls_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let url = answers(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.replace("http:", "https:");
    let told = echo(&["--target", &url, "--manifest", &manifest(folder.path()), "--json", "--quiet"]).await;
    assert_eq!((told.code, told.out.as_str()), (Some(1), ""), "{}", told.error);
    assert!(told.error.contains(&url), "{}", told.error);
}

/// A server with a certificate that somebody signed whom nobody knows, and the file of that authority.
async fn with_certificate(folder: &std::path::Path) -> (String, String) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let root = authority.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(authority, key);
    let own = rcgen::KeyPair::generate().unwrap();
    let names = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = names.signed_by(&own, &issuer).unwrap();
    let file = folder.join("authority.pem");
    std::fs::write(&file, root.pem()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(own.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Who does not believe us hangs up.
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let mut received = [0; 4096];
                while client.read(&mut received).await.is_ok_and(|count| count > 0) {
                    let answer = b"HTTP/1.1 503 No\r\ncallboard-outcome: not-run\r\ncallboard-error: draining\r\ncontent-length: 0\r\n\r\n";
                    if client.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (format!("https://{address}"), file.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_certificate_of_somebody_unknown_is_believed_only_if_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (url, authority) = with_certificate(folder.path()).await;
    let manifest = manifest(folder.path());
    let target = ["--target", &url, "--manifest", &manifest, "--json", "--quiet"];
    let told = echo(&target).await;
    assert_eq!((told.code, told.out.as_str()), (Some(1), ""), "{}", told.error);
    for expected in [&url, "--cacert", "--insecure", "certificate"] {
        assert!(told.error.contains(expected), "{expected}: {}", told.error);
    }
    for trust in [&["--insecure"][..], &["--cacert", &authority]] {
        let told = echo(&[&target[..], trust].concat()).await;
        let outcomes = told.results()["total"]["outcomes"].clone();
        assert!(outcomes["not-run"].as_u64().unwrap() > 10 && outcomes["broken"].is_null(), "{outcomes}");
    }
}

#[tokio::test]
async fn servers_of_others_are_loaded_only_by_who_owns_them() {
    let told = echo(&["--target", "http://192.0.2.7"]).await;
    assert_eq!(told.code, Some(2));
    assert!(told.error.contains("--i-own-this-target"), "{}", told.error);
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_scenario_is_told_at_once_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.toml");
    let text =
        "[load]\nrate = 0\nduraton = \"1s\"\n\n[[operation]]\nname = \"x\"\naction = \"echo\"\nweight = -1\n";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let told = loadtest(["run", file, "--target", "http://127.0.0.1:9"]).await;
    assert_eq!(told.code, Some(2), "{}", told.error);
    for expected in ["wrong.toml:2", "wrong.toml:3", "`duration`", "wrong.toml:8"] {
        assert!(told.error.contains(expected), "{expected}: {}", told.error);
    }
}

#[tokio::test]
async fn an_action_that_there_is_not_is_told_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let liar = Liar::start(Lie::Nothing, folder.path().join("ledger")).await.unwrap();
    let url = format!("http://{}", liar.address);
    let told = loadtest(["run", "uploads", "--target", &url, "--admin", &url]).await;
    assert_eq!(told.code, Some(2), "{}", told.error);
    assert!(told.error.contains("the target has no action"), "{}", told.error);
}

#[tokio::test]
async fn a_report_that_cannot_be_written_takes_nothing_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let liar = Liar::start(Lie::Nothing, folder.path().join("ledger")).await.unwrap();
    let url = format!("http://{}", liar.address);
    let (nowhere, page) = (folder.path().join("none/a.json"), folder.path().join("a.html"));
    let files = ["--out", nowhere.to_str().unwrap(), "--html", page.to_str().unwrap()];
    let told = echo(&[&["--target", &url, "--admin", &url][..], &files].concat()).await;
    assert_eq!(told.code, Some(2), "{}", told.error);
    assert!(told.error.contains("none/a.json") && told.out.contains("echo"), "{}{}", told.out, told.error);
    assert!(std::fs::read_to_string(page).unwrap().starts_with("<!doctype html>"));
}

/// An admin port that has a token.
async fn guarded_admin(token: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (mut received, mut request) = ([0; 1024], String::new());
            while !request.contains("\r\n\r\n") {
                let count = client.read(&mut received).await.unwrap();
                request.push_str(str::from_utf8(&received[..count]).unwrap());
            }
            let is_known = request.contains(&format!("authorization: Bearer {token}\r\n"));
            let (status, body) = if is_known { (200, MANIFEST) } else { (401, "who are you?") };
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            client.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    url
}

/// Goal: a node whose admin port has a token can be loaded, and no report tells it. Method: the port wants one, which is said
/// not at all, by the environment, or by a flag.
#[tokio::test]
async fn an_admin_port_is_told_its_token_and_nobody_else_is() {
    const TOKEN: &str = "a-token-of-the-admin-port";
    let (target, admin) =
        (answers(b"HTTP/1.1 404 Not\r\ncontent-length: 0\r\n\r\n").await, guarded_admin(TOKEN).await);
    let run = |variables: &[(&str, &str)], more: &[&str]| {
        let words = [&["run", "echo"], &SHORT[..], &["--target", &target, "--admin", &admin], more].concat();
        Running::start_with(variables, words).end()
    };
    let by_nobody = run(&[], &[]).await;
    assert_eq!(by_nobody.code, Some(1), "{}", by_nobody.error);
    assert!(by_nobody.error.contains("answered 401") && by_nobody.error.contains("--admin-token"));
    let by_variable = run(&[("CALLBOARD_ADMIN_TOKEN", TOKEN)], &["--json"]).await;
    // The flag goes before the variable.
    let by_flag = run(&[("CALLBOARD_ADMIN_TOKEN", "another")], &["--admin-token", TOKEN, "--json"]).await;
    let by_flag_shown = run(&[], &[&format!("--admin-token={TOKEN}")]).await;
    for told in [&by_variable, &by_flag] {
        assert!(told.results()["total"]["requests"].as_u64().unwrap() > 10);
    }
    for told in [by_nobody, by_variable, by_flag, by_flag_shown] {
        assert!(!told.out.contains(TOKEN) && !told.error.contains(TOKEN), "{}{}", told.out, told.error);
    }
}
