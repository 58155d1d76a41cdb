//! A server that behaves as it is told and writes down when.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::spawn_local,
    time::sleep,
};

/// How it answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    At,
    After(Duration),
    /// The first request waits that long, all others are answered at once.
    StallsOnce(Duration),
    Garbage,
    /// Closes the connection instead of an answer.
    HangsUp,
    /// Answers, and closes the connection without having said that it would.
    ClosesAfterEach,
}

pub(super) struct Server {
    pub(super) url: String,
    manner: Manner,
    connections: Cell<usize>,
    requests: Cell<usize>,
    body_bytes: Cell<usize>,
    /// From when a request was read until its answer was written.
    times: RefCell<Vec<Duration>>,
}

impl Server {
    pub(super) async fn start(manner: Manner) -> Rc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Rc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            manner,
            connections: Cell::new(0),
            requests: Cell::new(0),
            body_bytes: Cell::new(0),
            times: RefCell::default(),
        });
        let serving = Rc::clone(&server);
        spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.connections.update(|count| count + 1);
                let server = Rc::clone(&serving);
                spawn_local(async move { server.serve(stream).await });
            }
        });
        server
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.get()
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.get()
    }

    pub(super) fn body_bytes(&self) -> usize {
        self.body_bytes.get()
    }

    pub(super) fn answered(&self) -> usize {
        self.times.borrow().len()
    }

    pub(super) fn times(&self) -> Vec<Duration> {
        self.times.borrow().clone()
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        while let Some(body_bytes) = read(&mut stream, &mut bytes).await {
            let began = Instant::now();
            let number = self.requests.replace(self.requests.get() + 1);
            self.body_bytes.update(|count| count + body_bytes);
            match self.manner {
                Manner::After(time) => sleep(time).await,
                Manner::StallsOnce(time) if number == 0 => sleep(time).await,
                Manner::HangsUp => return,
                _ => {}
            }
            let answer: &[u8] = match self.manner {
                Manner::Garbage => b"SSH-2.0-OpenSSH_9.6\r\n",
                _ => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            };
            if stream.write_all(answer).await.is_err() {
                return;
            }
            self.times.borrow_mut().push(began.elapsed());
            if matches!(self.manner, Manner::ClosesAfterEach | Manner::Garbage) {
                return;
            }
        }
    }
}

/// Reads a request, and how long its body was; none if there is none any more.
async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<usize> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        if let httparse::Status::Complete(head) = request.parse(bytes).ok()? {
            let length = request.headers.iter().find(|header| header.name == "content-length");
            let length = length
                .map_or(0, |header| std::str::from_utf8(header.value).unwrap().parse::<usize>().unwrap());
            if bytes.len() >= head + length {
                bytes.drain(..head + length);
                return Some(length);
            }
        }
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
}
