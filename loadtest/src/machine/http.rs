//! Requests as bytes on a connection that stays open, so that nothing is sent twice behind our back.

use std::io::{self, ErrorKind};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Most headers that an answer may have.
const HEADERS_MAX: usize = 64;

/// A connection to a server.
pub struct Connection {
    stream: TcpStream,
    /// What came and was not yet taken.
    came: Vec<u8>,
}

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// From 100 to 599.
    pub status: u16,
    /// In the order in which they came; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Whole, and without the framing of chunks.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A request whose body is one piece.
#[must_use]
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text =
        format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.extend([*name, ": ", *value, "\r\n"]);
    }
    text.extend(["\r\n", body]);
    text
}

/// Asks once, on a connection of its own.
///
/// # Errors
///
/// That there is no connection, or no whole answer.
pub async fn get(address: &str, path: &str) -> io::Result<Answer> {
    Connection::open(address).await?.ask(&request("GET", path, &[], "")).await
}

impl Connection {
    ///
    /// # Errors
    ///
    /// That there is no connection.
    pub async fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, came: Vec::new() })
    }

    /// Whether another request may be sent: the server has not closed it.
    pub fn is_open(&self) -> bool {
        let mut byte = [0];
        // Bytes that nobody asked for are for the next request to complain about.
        match self.stream.try_read(&mut byte) {
            Ok(count) => count > 0,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    ///
    /// That the connection ended before the answer did, or that it is no answer.
    pub async fn ask(&mut self, request: &str) -> io::Result<Answer> {
        if !self.came.is_empty() {
            return Err(io::Error::other("there was more than one answer to the request before this one"));
        }
        self.stream.write_all(request.as_bytes()).await?;
        let mut answer = loop {
            match head(&self.came)? {
                Some((length, answer)) => {
                    self.came.drain(..length);
                    break answer;
                }
                None => self.more().await?,
            }
        };
        if answer.header("transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked")) {
            self.chunks(&mut answer.body).await?;
        } else {
            let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            answer.body = self.take(length).await?;
        }
        Ok(answer)
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.came).await? {
            0 => Err(io::Error::new(ErrorKind::UnexpectedEof, "the connection ended before the answer")),
            _ => Ok(()),
        }
    }

    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.came.len() < length {
            self.more().await?;
        }
        let rest = self.came.split_off(length);
        Ok(std::mem::replace(&mut self.came, rest))
    }

    async fn chunks(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let end = loop {
                match self.came.windows(2).position(|bytes| bytes == b"\r\n") {
                    Some(end) => break end,
                    None => self.more().await?,
                }
            };
            let line = self.take(end + 2).await?;
            let length = std::str::from_utf8(&line[..end]).ok();
            let length = length.and_then(|digits| usize::from_str_radix(digits, 16).ok());
            let length = length.ok_or_else(|| io::Error::other("a chunk has no length"))?;
            body.extend(self.take(length).await?);
            self.take(2).await?;
            if length == 0 {
                return Ok(());
            }
        }
    }
}

/// The head of an answer, and its length; nothing if it has not all come.
fn head(came: &[u8]) -> io::Result<Option<(usize, Answer)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(came).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let headers = response.headers.iter();
    let headers = headers
        .map(|header| (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).into_owned()));
    let answer =
        Answer { status: response.code.unwrap_or_default(), headers: headers.collect(), body: Vec::new() };
    Ok(Some((length, answer)))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answered(bytes: &'static str) -> io::Result<Answer> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut connection = Connection::open(&listener.local_addr()?.to_string()).await?;
        let (mut server, _) = listener.accept().await?;
        server.write_all(bytes.as_bytes()).await?;
        drop(server);
        connection.ask(&request("GET", "/", &[], "")).await
    }

    #[tokio::test]
    async fn a_body_is_read_by_its_length_or_in_chunks() {
        let whole = answered("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: y\r\n\r\nabc").await.unwrap();
        assert_eq!((whole.status, whole.header("x"), &whole.body[..]), (200, Some("y"), &b"abc"[..]));
        let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        assert_eq!(answered(chunks).await.unwrap().body, b"abc");
    }

    #[tokio::test]
    async fn half_an_answer_is_none() {
        let error = answered("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }
}
