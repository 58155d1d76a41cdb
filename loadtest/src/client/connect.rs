//! A connection is made.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use hyper::header::HeaderValue;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use super::{Broken, CONNECT_TIMEOUT, Tls};

/// Where a server is.
#[derive(Clone)]
pub(crate) struct Endpoint {
    /// `HOST:PORT`, as requests name it.
    pub(crate) authority: String,
    pub(crate) host: HeaderValue,
    /// Asked for once, so that no lookup is measured.
    pub(crate) addresses: Vec<SocketAddr>,
    /// How to speak TLS with it, if it is to be spoken.
    pub(crate) tls: Option<Tls>,
}

impl Endpoint {
    /// `http` or `https`.
    pub(super) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Whether it can be spoken to: if not, no request has to find out.
    pub(crate) async fn check(&self) -> Result<(), Broken> {
        self.connect().await.map(drop)
    }

    /// Opens a connection.
    pub(super) async fn connect(&self) -> Result<TokioIo<Stream>, Broken> {
        let connecting = timeout(CONNECT_TIMEOUT, self.open()).await;
        let opened = connecting.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        opened.map_err(|source| Broken::Connect { place: self.authority.clone(), source })
    }

    async fn open(&self) -> io::Result<TokioIo<Stream>> {
        let plain = TcpStream::connect(&self.addresses[..]).await?;
        plain.set_nodelay(true)?;
        let stream = match &self.tls {
            None => Stream::Plain(plain),
            Some(tls) => Stream::Tls(Box::new(tls.handshake(plain).await?)),
        };
        Ok(TokioIo::new(stream))
    }
}

/// Bytes in both directions.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether the server agreed to speak HTTP/2; with plain TCP nobody asks.
    pub(super) fn refuses_http2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() != Some(b"h2"),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
