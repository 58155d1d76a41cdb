//! The command that asks a running node how it is, for images in which there is nothing else to ask with.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use anyhow::{Context as _, bail};

use crate::settings::Settings;

/// How long each step of it may take: what a health check of Docker waits for at all is 30 s by default.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Most bytes of an answer that are looked at; those of the admin port are a line.
const ANSWER_BYTES_MAX: u64 = 4096;

/// Asks the admin port of the node with these settings whether it lives, or with `ready` whether it takes calls.
///
/// # Errors
///
/// That it does not answer, or what it answers instead.
pub(super) fn ask(settings: &Settings, ready: bool) -> anyhow::Result<()> {
    let path = if ready { "/readyz" } else { "/healthz" };
    let address = address(&settings.admin)?;
    let answer = answer(address, path).with_context(|| format!("http://{address}{path}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no end of its head")?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(()),
        Some(status) => bail!("http://{address}{path} answered {status}: {}", body.trim()),
        None => bail!("http://{address}{path} did not answer in HTTP"),
    }
}

/// Where to ask a node that listens there: where that is every address of the machine, on the loopback.
fn address(admin: &str) -> anyhow::Result<SocketAddr> {
    let mut addresses = admin.to_socket_addrs().with_context(|| format!("setting admin: {admin:?}"))?;
    let mut address = addresses.next().with_context(|| format!("setting admin: {admin:?} has no address"))?;
    if address.port() == 0 {
        bail!("setting admin: a node with port 0 took a free one, which nobody else knows");
    }
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(address)
}

fn answer(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{App, Sources};

    fn settings(admin: SocketAddr) -> Settings {
        Sources::of_test([("admin".to_owned(), admin.to_string())]).unwrap()
    }

    #[test]
    fn a_node_that_serves_is_alive_and_ready() {
        let folder = tempfile::tempdir().unwrap();
        let node = App::new("healthy").start(&[("state_dir", folder.path().to_str().unwrap())]).unwrap();
        ask(&settings(node.admin()), false).unwrap();
        ask(&settings(node.admin()), true).unwrap();
    }

    #[test]
    fn a_port_where_nobody_listens_is_named() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = ask(&settings(free), false).unwrap_err();
        assert_eq!(error.to_string(), format!("http://{free}/healthz"));
    }

    #[test]
    fn what_it_answers_instead_is_told() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 512];
            let length = stream.read(&mut asked).unwrap();
            stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\ndraining\n").unwrap();
            String::from_utf8(asked[..length].to_vec()).unwrap()
        });
        let error = ask(&settings(address), true).unwrap_err();
        assert_eq!(error.to_string(), format!("http://{address}/readyz answered 503: draining"));
        assert!(server.join().unwrap().starts_with("GET /readyz HTTP/1.1\r\n"));
    }

    #[test]
    fn a_node_on_every_address_is_asked_on_the_loopback() {
        assert_eq!(address("0.0.0.0:3001").unwrap().to_string(), "127.0.0.1:3001");
        assert_eq!(address("[::]:3001").unwrap().to_string(), "[::1]:3001");
        assert_eq!(address("192.0.2.7:3001").unwrap().to_string(), "192.0.2.7:3001");
        assert!(address("127.0.0.1:0").is_err());
    }
}
