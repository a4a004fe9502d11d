//! A scripted HTTP/2 upstream by prior knowledge (h2c), on the frame level.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::eventually::eventually;
use crate::h2_client::{header_map, read_all};
use crate::script::Gate;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct H2Request {
    /// The method.
    pub method: String,
    /// `:scheme`, `:authority` and `:path` as one URI.
    pub uri: http::Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
    /// Its trailers.
    pub trailers: Option<HeaderMap>,
    /// Whether it came to its end; else it was reset.
    pub complete: bool,
}

/// What is answered.
#[derive(Clone, Debug, Default)]
pub struct H2Reply {
    status: u16,
    headers: Vec<(String, String)>,
    data: Vec<Bytes>,
    trailers: Vec<(String, String)>,
    gate: Option<Gate>,
    ending: Ending,
}

#[derive(Clone, Debug, Default)]
enum Ending {
    #[default]
    InOrder,
    Reset(Reason),
    Hang,
}

type Script = dyn Fn(&H2Request) -> H2Reply + Send + Sync;

/// A running upstream.
pub struct H2Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: tokio::task::JoinHandle<()>,
}

struct Shared {
    script: Box<Script>,
    requests: Mutex<Vec<H2Request>>,
    connections: AtomicUsize,
    in_flight: AtomicUsize,
    cancelled: AtomicUsize,
}

// === impl H2Reply ===

impl H2Reply {
    /// 200 with this body.
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self::status(200).data(body)
    }

    /// This status and no body yet.
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// A gRPC answer: one message, `grpc-status: 0` in the trailers.
    pub fn grpc(message: &[u8]) -> Self {
        let mut framed = vec![0];
        let length = u32::try_from(message.len()).expect("a small message");
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(message);
        Self::status(200)
            .header("content-type", "application/grpc")
            .data(framed)
            .trailer("grpc-status", "0")
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// One more DATA frame.
    #[must_use]
    pub fn data(mut self, data: impl Into<Bytes>) -> Self {
        self.data.push(data.into());
        self
    }

    /// One more trailer.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Nothing before the gate opens.
    #[must_use]
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Ends with `RST_STREAM` after the data.
    #[must_use]
    pub fn reset(mut self, reason: Reason) -> Self {
        self.ending = Ending::Reset(reason);
        self
    }

    /// Never ends after the data.
    #[must_use]
    pub fn hang(mut self) -> Self {
        self.ending = Ending::Hang;
        self
    }
}

// === impl H2Upstream ===

impl H2Upstream {
    /// Answers each request by `script`, once its body has been read.
    pub async fn start(script: impl Fn(&H2Request) -> H2Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port for the upstream");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            script: Box::new(script),
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            cancelled: AtomicUsize::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, accepting }
    }

    /// `http://` and its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<H2Request> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The only request so far.
    ///
    /// # Panics
    /// Where there was none, or more than one.
    pub fn only_request(&self) -> H2Request {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "exactly one request was expected upstream: {requests:#?}");
        requests.remove(0)
    }

    /// Number of requests so far.
    pub fn request_count(&self) -> usize {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Connections so far.
    pub fn connection_count(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Streams being answered now.
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.load(Ordering::SeqCst)
    }

    /// Streams that the peer reset while they were being answered.
    pub fn cancelled(&self) -> usize {
        self.shared.cancelled.load(Ordering::SeqCst)
    }

    /// Waits until `count` requests have arrived.
    pub async fn arrived(&self, count: usize) {
        let what = format!("{count} requests at the HTTP/2 upstream");
        eventually(&what, crate::DEADLINE, async || {
            let seen = self.request_count();
            if seen >= count { Ok(()) } else { Err(seen) }
        })
        .await;
    }
}

impl Drop for H2Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    connections.spawn(serve(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    stream.set_nodelay(true).ok();
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else { return };
                streams.spawn(answer(request, respond, Arc::clone(&shared)));
            }
            Some(_) = streams.join_next() => {}
        }
    }
}

struct InFlight<'a>(&'a Shared);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    shared: Arc<Shared>,
) {
    shared.in_flight.fetch_add(1, Ordering::SeqCst);
    let in_flight = InFlight(&shared);
    let (head, mut stream) = request.into_parts();
    let read = read_all(&mut stream).await;
    let complete = read.is_ok();
    let (body, trailers) = read.unwrap_or_default();
    let request = H2Request {
        method: head.method.to_string(),
        uri: head.uri,
        headers: head.headers,
        body,
        trailers,
        complete,
    };
    shared.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    let reply = (shared.script)(&request);
    if let Some(gate) = &reply.gate {
        tokio::select! {
            () = gate.passed() => {}
            _ = std::future::poll_fn(|context| respond.poll_reset(context)) => {
                shared.cancelled.fetch_add(1, Ordering::SeqCst);
                return;
            }
        }
    }
    if send(reply, &mut respond).await.is_err() {
        shared.cancelled.fetch_add(1, Ordering::SeqCst);
    }
    drop(in_flight);
}

async fn send(reply: H2Reply, respond: &mut SendResponse<Bytes>) -> Result<(), h2::Error> {
    let pairs: Vec<(&str, &str)> =
        reply.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut head = Response::builder().status(reply.status).body(()).expect("a valid status");
    *head.headers_mut() = header_map(&pairs);
    let in_order = matches!(reply.ending, Ending::InOrder);
    let ends = in_order && reply.data.is_empty() && reply.trailers.is_empty();
    let mut stream = respond.send_response(head, ends)?;
    for data in reply.data {
        send_data(&mut stream, data).await?;
    }
    match reply.ending {
        Ending::InOrder if ends => Ok(()),
        Ending::InOrder if reply.trailers.is_empty() => stream.send_data(Bytes::new(), true),
        Ending::InOrder => {
            let trailers = reply.trailers.iter();
            let pairs: Vec<(&str, &str)> =
                trailers.map(|(name, value)| (name.as_str(), value.as_str())).collect();
            stream.send_trailers(header_map(&pairs))
        }
        Ending::Reset(reason) => {
            stream.send_reset(reason);
            Ok(())
        }
        Ending::Hang => {
            let reset = std::future::poll_fn(|context| stream.poll_reset(context)).await?;
            Err(reset.into())
        }
    }
}

/// Sends no faster than the peer's window allows.
async fn send_data(stream: &mut SendStream<Bytes>, mut data: Bytes) -> Result<(), h2::Error> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let capacity = std::future::poll_fn(|context| stream.poll_capacity(context)).await;
        let piece = match capacity {
            Some(capacity) => capacity?.min(data.len()),
            None => return Err(Reason::CANCEL.into()),
        };
        stream.send_data(data.split_to(piece), false)?;
    }
    Ok(())
}
