//! An HTTP/2 client by prior knowledge (h2c), one connection.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use tokio::net::TcpStream;

use crate::eventually::{DEADLINE, within};

/// One connection.
#[derive(Debug)]
pub struct H2Client {
    sender: SendRequest<Bytes>,
    driving: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct H2Response {
    /// Its status code.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
    /// Its trailers.
    pub trailers: Option<HeaderMap>,
    /// Whether HEADERS ended the stream.
    pub ended_with_headers: bool,
}

// === impl H2Response ===

impl H2Response {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The first value of a trailer.
    pub fn trailer(&self, name: &str) -> Option<&str> {
        self.trailers.as_ref()?.get(name).and_then(|value| value.to_str().ok())
    }
}

// === impl H2Client ===

impl H2Client {
    /// A connection with the library's usual windows.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, &h2::client::Builder::new()).await
    }

    /// A connection with these settings.
    pub async fn connect_with(address: SocketAddr, builder: &h2::client::Builder) -> Self {
        let stream = TcpStream::connect(address).await.expect("connect");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        let handshake = builder.handshake(stream);
        let (sender, connection) =
            within("an HTTP/2 handshake", DEADLINE, handshake).await.expect("handshake");
        Self { sender, driving: tokio::spawn(connection) }
    }

    /// A request to `path` at `gateway.test`, ready to send.
    pub fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request =
            Request::builder().method(method).uri(format!("http://gateway.test{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a valid request")
    }

    /// Opens a stream; the caller sends the body and awaits the answer. The stream counts as
    /// ended where `ends` says so.
    pub async fn open(
        &self,
        request: Request<()>,
        ends: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let ready = within("room for a stream", DEADLINE, self.sender.clone().ready());
        ready.await?.send_request(request, ends)
    }

    /// One call with a body and trailers, either of which may be empty.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        trailers: &[(&str, &str)],
    ) -> Result<H2Response, h2::Error> {
        let ends = body.is_empty() && trailers.is_empty();
        let (answer, mut stream) = self.open(Self::request(method, path, headers), ends).await?;
        if !body.is_empty() {
            stream.send_data(Bytes::copy_from_slice(body), trailers.is_empty())?;
        }
        if !trailers.is_empty() {
            stream.send_trailers(header_map(trailers))?;
        }
        collect(answer).await
    }

    /// GET.
    ///
    /// # Panics
    /// Where there is no answer.
    pub async fn get(&self, path: &str) -> H2Response {
        self.call("GET", path, &[], b"", &[]).await.expect("an answer over HTTP/2")
    }

    /// How the connection ended.
    pub async fn ended(self) -> Result<(), h2::Error> {
        drop(self.sender);
        within("the end of an HTTP/2 connection", DEADLINE, self.driving).await.expect("no panic")
    }

    /// Cuts the connection.
    pub fn cut(self) {
        self.driving.abort();
    }
}

/// Reads an answer to its end.
pub async fn collect(answer: ResponseFuture) -> Result<H2Response, h2::Error> {
    let (head, mut stream) = within("an answer over HTTP/2", DEADLINE, answer).await?.into_parts();
    let ended_with_headers = stream.is_end_stream();
    let (body, trailers) = read_all(&mut stream).await?;
    let status = head.status.as_u16();
    Ok(H2Response { status, headers: head.headers, body, trailers, ended_with_headers })
}

/// Reads a body and its trailers, giving the window back as it goes.
pub async fn read_all(stream: &mut RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut body = Vec::new();
    while let Some(data) = within("data over HTTP/2", DEADLINE, stream.data()).await {
        let data = data?;
        stream.flow_control().release_capacity(data.len())?;
        body.extend_from_slice(&data);
    }
    let trailers = within("trailers over HTTP/2", DEADLINE, stream.trailers()).await?;
    Ok((body, trailers))
}

/// A header map out of pairs.
pub fn header_map(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let name = http::HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        map.append(name, http::HeaderValue::from_str(value).expect("a header value"));
    }
    map
}
