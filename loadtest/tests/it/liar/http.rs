//! As much of HTTP/1.1 as a load needs: connections that stay open, and bodies whose length is said before.

use std::{fmt::Write as _, io};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const HEADERS_MAX: usize = 64;

pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// A client's connection.
pub(super) struct Connection {
    client: TcpStream,
    received: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Answer {
    pub(super) fn new(status: u16, content_type: &str, body: impl Into<String>) -> Self {
        Self { status, headers: vec![("content-type", content_type.to_owned())], body: body.into() }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Connection {
    pub(super) fn new(client: TcpStream) -> Self {
        Self { client, received: Vec::new() }
    }

    /// The next request; nothing at the end of the connection.
    pub(super) async fn request(&mut self) -> io::Result<Option<Request>> {
        loop {
            if let Some((mut request, head_bytes, body_bytes)) = head(&self.received)? {
                while self.received.len() < head_bytes + body_bytes {
                    if !self.more().await? {
                        return Ok(None);
                    }
                }
                let rest = self.received.split_off(head_bytes + body_bytes);
                request.body = std::mem::replace(&mut self.received, rest).split_off(head_bytes);
                return Ok(Some(request));
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    async fn more(&mut self) -> io::Result<bool> {
        Ok(self.client.read_buf(&mut self.received).await? > 0)
    }

    pub(super) async fn answer(&mut self, answer: &Answer) -> io::Result<()> {
        let mut text =
            format!("HTTP/1.1 {} Told\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
        for (name, value) in &answer.headers {
            write!(text, "{name}: {value}\r\n").map_err(io::Error::other)?;
        }
        self.client.write_all(format!("{text}\r\n{}", answer.body).as_bytes()).await
    }
}

/// A head, if all of it is there, its length, and that of the body.
fn head(received: &[u8]) -> io::Result<Option<(Request, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head_bytes) = parsed.parse(received).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let headers = parsed
        .headers
        .iter()
        .map(|header| (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).into_owned()));
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: parsed.path.unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body: Vec::new(),
    };
    if request.header("transfer-encoding").is_some() {
        return Err(io::Error::other("the length of the body is not said"));
    }
    let body_bytes = request.header("content-length").unwrap_or("0").parse().map_err(io::Error::other)?;
    Ok(Some((request, head_bytes, body_bytes)))
}
