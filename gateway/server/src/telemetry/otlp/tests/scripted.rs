//! A receiver that takes every request and answers always the same.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// Ends when dropped.
pub struct Scripted {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Scripted {
    /// Answers 200 with this body; by gRPC with this message.
    pub fn start(grpc: bool, answer: Vec<u8>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = answer.clone();
                if grpc {
                    tokio::spawn(by_grpc(stream, answer));
                } else {
                    tokio::spawn(by_http(stream, answer));
                }
            }
        });
        Self { address, _runtime: runtime }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn by_grpc(stream: TcpStream, message: Vec<u8>) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let message = message.clone();
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(Ok(part)) = body.data().await {
                body.flow_control().release_capacity(part.len()).unwrap();
            }
            let head = Response::builder().header("content-type", "application/grpc");
            let mut stream = respond.send_response(head.body(()).unwrap(), false).unwrap();
            let mut framed = vec![0, 0, 0, 0, u8::try_from(message.len()).unwrap()];
            framed.extend(message);
            stream.send_data(Bytes::from(framed), false).unwrap();
            let ok = [("grpc-status", "0")]
                .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
            stream.send_trailers(HeaderMap::from_iter(ok)).unwrap();
        });
    }
}

async fn by_http(mut stream: TcpStream, answer: Vec<u8>) {
    let mut read = Vec::new();
    loop {
        // One request after the other: its head, then as much as its length says.
        let head = loop {
            if let Some(at) = memchr::memmem::find(&read, b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let text = String::from_utf8_lossy(&read[..head]).to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.unwrap().trim().parse().unwrap();
        while read.len() < head + length {
            if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return;
            }
        }
        read.drain(..head + length);
        let opening = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
        let answered = [opening.as_bytes(), &answer].concat();
        if stream.write_all(&answered).await.is_err() {
            return;
        }
    }
}
