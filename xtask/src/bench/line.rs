//! One connection to a node, for one request over and over.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::server::{self, Answer};

/// One action with arguments.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) reference: String,
    pub(crate) body: String,
}

impl Call {
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let headers = [
            ("content-type", "text/plain;charset=UTF-8"),
            ("accept", "text/x-component"),
            ("next-action", &self.reference),
        ];
        headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    /// Asks for it once, on a connection of its own.
    pub(crate) fn ask(&self, address: &str) -> anyhow::Result<Answer> {
        server::request(address, "POST", "/", &self.headers(), &self.body)
    }

    /// The request that asks for it.
    pub(crate) fn request(&self, address: &str) -> String {
        let (body, length) = (&self.body, self.body.len());
        let mut request = format!("POST / HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\n");
        request.extend(self.headers().iter().map(|(name, value)| format!("{name}: {value}\r\n")));
        request.extend(["\r\n", body]);
        request
    }
}

/// The request that asks for a page.
pub(crate) fn page_request(address: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n")
}

/// A connection that is kept.
pub(crate) struct Line {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
}

impl Line {
    /// For this request.
    pub(crate) fn open(address: &str, request: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(40)))?;
        Ok(Self { stream: BufReader::new(stream), request: request.into() })
    }

    /// Sends the request, and reads its whole answer.
    pub(crate) fn ask(&mut self) -> anyhow::Result<Answer> {
        self.send()?;
        self.receive()
    }

    /// Sends the request.
    pub(crate) fn send(&mut self) -> anyhow::Result<()> {
        Ok(self.stream.get_mut().write_all(&self.request)?)
    }

    /// Sends another in its place.
    pub(crate) fn send_other(&mut self, request: &str) -> anyhow::Result<()> {
        Ok(self.stream.get_mut().write_all(request.as_bytes())?)
    }

    /// Reads the whole answer of what was sent first.
    pub(crate) fn receive(&mut self) -> anyhow::Result<Answer> {
        let (mut head, mut length) = (String::new(), None);
        loop {
            let begin = head.len();
            if self.stream.read_line(&mut head)? == 0 {
                bail!("the node closed the connection after {head:?}");
            }
            let line = head[begin..].trim_end();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = Some(value.parse()?);
            }
        }
        let mut body = vec![0; length.context("the answer has no length")?];
        self.stream.read_exact(&mut body)?;
        if !head.starts_with("HTTP/1.1 200 ") {
            bail!("the node answers {head}{}", String::from_utf8_lossy(&body));
        }
        Ok(Answer { status: 200, head, body })
    }
}

/// Does it so many times, and notes how many microseconds each took.
pub(crate) fn times<T>(
    count: usize,
    noted: &mut Vec<f64>,
    mut ask: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<()> {
    for _ in 0..count {
        let started = Instant::now();
        let answer = ask()?;
        noted.push(started.elapsed().as_secs_f64() * 1e6);
        drop(answer);
    }
    Ok(())
}
