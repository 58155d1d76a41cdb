//! nginx, which gives the page out of a file.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::process::geteuid;

use crate::bench::{PAGE_BYTES, server::Server};

/// How long it may take to start.
const START_MAX: Duration = Duration::from_secs(10);

/// One that runs, and the folder of its file.
pub(super) struct Nginx {
    server: Server,
    _folder: tempfile::TempDir,
}

impl Nginx {
    pub(super) fn server(&self) -> &Server {
        &self.server
    }
}

/// `NGINX`, or `nginx`.
fn program() -> String {
    std::env::var("NGINX").unwrap_or_else(|_| "nginx".to_owned())
}

/// Which one this is.
pub(super) fn version() -> anyhow::Result<String> {
    let output = Command::new(program()).arg("-v").output();
    let output = output.context("nginx is not installed (Debian: apt-get install nginx); or set NGINX")?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(text.trim().rsplit('/').next().unwrap_or_default().to_owned())
}

/// Starts it on a free port, with the page at `/page`.
pub(super) fn start() -> anyhow::Result<Nginx> {
    let folder = tempfile::tempdir()?;
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let workers = std::thread::available_parallelism()?.get();
    fs::create_dir(folder.path().join("www"))?;
    fs::write(folder.path().join("www/page"), "x".repeat(PAGE_BYTES))?;
    let file = folder.path().join("nginx.conf");
    fs::write(&file, settings(folder.path(), port, workers, geteuid().is_root()))?;
    let mut command = Command::new(program());
    command.arg("-p").arg(folder.path()).arg("-c").arg(&file);
    // It complains of the log that its package names before it reads the settings.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().context("cannot start nginx")?;
    let mut server = Server::running(child, format!("127.0.0.1:{port}"));
    let started = Instant::now();
    while server.adopt_workers()? < workers || TcpStream::connect(&server.address).is_err() {
        if let Some(status) = server.status()? {
            let log = fs::read_to_string(folder.path().join("error.log")).unwrap_or_default();
            bail!("nginx ended at once, with {status}: {log}");
        }
        if started.elapsed() > START_MAX {
            bail!("nginx does not answer on port {port}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(Nginx { server, _folder: folder })
}

/// A worker per core and no log of accesses; files are sent as the packages of Debian and of nginx itself have it.
/// Everything else is nginx's default, and what it writes is written into this folder.
fn settings(folder: &Path, port: u16, workers: usize, is_root: bool) -> String {
    let folder = folder.display();
    // Its workers would be somebody else, who cannot read the folder.
    let user = if is_root { "user root;\n" } else { "" };
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("    {what}_temp_path {folder}/{what};\n"))
        .concat();
    format!(
        "{user}daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    default_type 'text/html; charset=utf-8';
{temporary}    server {{
        listen 127.0.0.1:{port};
        root {folder}/www;
    }}
}}
"
    )
}
