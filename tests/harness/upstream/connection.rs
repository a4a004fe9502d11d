//! One connection of a scripted upstream: reads requests, performs the script's steps.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{CONNECTION_BYTES_MAX, Recorded, Shared};
use crate::script::{Step, lines};
use crate::wire::{BodyDecoder, Head, request_framing};

/// What [`Connection::fill`] writes.
const FILLER: &[u8] = &[b'x'; 16 * 1024];

/// The last bytes of an answer that surely leave with one write.
const LAST_BYTES_MAX: usize = 4096;

/// Counts one request in flight while it lives; a drop before `finish` is an abort.
struct InFlight<'a> {
    shared: &'a Shared,
    finished: bool,
    counted: bool,
}

impl<'a> InFlight<'a> {
    fn begin(shared: &'a Shared) -> Self {
        let now = shared.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        shared.in_flight_max.fetch_max(now, Ordering::SeqCst);
        Self { shared, finished: false, counted: true }
    }

    /// No longer counted, though perhaps not finished.
    fn leave(&mut self) {
        if std::mem::take(&mut self.counted) {
            self.shared.in_flight.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.shared.aborted.fetch_add(1, Ordering::SeqCst);
        }
        self.leave();
    }
}

pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    shared.open_connections.fetch_add(1, Ordering::SeqCst);
                    let counted = OpenConnection(&shared);
                    serve(stream, &shared).await;
                    drop(counted);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

struct OpenConnection<'a>(&'a Shared);

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.open_connections.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn serve(stream: TcpStream, shared: &Shared) {
    stream.set_nodelay(true).ok();
    let id = {
        let mut log = shared.log();
        log.connections.push(Vec::new());
        log.connections.len() - 1
    };
    let mut connection = Connection { stream, id, shared, buffer: BytesMut::new() };
    while let Some(head) = connection.read_head().await {
        if connection.answer(head).await.is_err() {
            break;
        }
    }
}

/// The connection is over: by the script, by the peer, or because of malformed bytes.
#[derive(Debug)]
enum Over {
    ByScript,
    ByPeer,
}

struct Connection<'a> {
    stream: TcpStream,
    id: usize,
    shared: &'a Shared,
    buffer: BytesMut,
}

// === impl Connection ===

impl Connection<'_> {
    async fn read_head(&mut self) -> Option<Head> {
        loop {
            match Head::parse(&self.buffer) {
                Ok(Some(head)) => {
                    self.buffer.advance(head.raw.len());
                    let words: Vec<&str> = head.start_line.split(' ').collect();
                    if words.len() == 3 && words[2].starts_with("HTTP/1.") {
                        return Some(head);
                    }
                    self.shared.note_malformed(format!("request line {:?}", head.start_line));
                    return None;
                }
                Ok(None) => {}
                Err(why) => {
                    self.shared.note_malformed(format!("{why}: {:?}", self.buffer));
                    return None;
                }
            }
            if !self.read_more().await {
                if !self.buffer.is_empty() {
                    self.shared.note_malformed(format!("cut head {:?}", self.buffer));
                }
                return None;
            }
        }
    }

    /// False at the peer's end.
    async fn read_more(&mut self) -> bool {
        let before = self.buffer.len();
        self.buffer.reserve(16 * 1024);
        let read = self.stream.read_buf(&mut self.buffer).await.unwrap_or(0);
        let kept = &mut self.shared.log().connections[self.id];
        let room = CONNECTION_BYTES_MAX.saturating_sub(kept.len()).min(self.buffer.len() - before);
        kept.extend_from_slice(&self.buffer[before..before + room]);
        read > 0
    }

    async fn answer(&mut self, head: Head) -> Result<(), Over> {
        let shared = self.shared;
        let mut in_flight = InFlight::begin(shared);
        let mut decoder = match request_framing(&head) {
            Ok(framing) => BodyDecoder::new(framing),
            Err(why) => {
                shared.note_malformed(format!("{why}: {head:?}"));
                return Err(Over::ByPeer);
            }
        };
        let mut request = Recorded {
            connection: self.id,
            head,
            body: Vec::new(),
            trailers: Vec::new(),
            complete: decoder.is_done(),
            at: Instant::now(),
        };
        let place = shared.record(request.clone());
        if shared.reads_body {
            self.read_body(&mut decoder, place).await?;
            request.body.clone_from(&decoder.body);
            request.trailers.clone_from(&decoder.trailers);
            request.complete = true;
        }
        let mut steps = (shared.script)(&request).steps.into_iter().peekable();
        while let Some(step) = steps.next() {
            // Whoever has the last bytes may send the next request before we are back from writing them.
            if steps.peek().is_none()
                && matches!(&step, Step::Bytes(b) if b.len() <= LAST_BYTES_MAX)
            {
                in_flight.leave();
            }
            let result = self.perform(step, &mut decoder, place).await;
            in_flight.finished = matches!(result, Err(Over::ByScript));
            result?;
        }
        in_flight.finished = true;
        if decoder.is_done() { Ok(()) } else { Err(Over::ByScript) }
    }

    async fn read_body(
        &mut self,
        decoder: &mut BodyDecoder,
        place: Option<usize>,
    ) -> Result<(), Over> {
        loop {
            let decoded = decoder.decode(&self.buffer);
            {
                let mut log = self.shared.log();
                if let Some(request) = place.and_then(|place| log.requests.get_mut(place)) {
                    let seen = request.body.len();
                    request.body.extend_from_slice(&decoder.body[seen..]);
                    request.trailers.clone_from(&decoder.trailers);
                    request.complete = decoder.is_done();
                }
            }
            match decoded {
                Ok(used) => self.buffer.advance(used),
                Err(why) => {
                    self.shared.note_malformed(format!("body: {why}"));
                    return Err(Over::ByPeer);
                }
            }
            if decoder.is_done() {
                return Ok(());
            }
            if !self.read_more().await {
                return Err(Over::ByPeer);
            }
        }
    }

    async fn perform(
        &mut self,
        step: Step,
        decoder: &mut BodyDecoder,
        place: Option<usize>,
    ) -> Result<(), Over> {
        match step {
            Step::Bytes(bytes) => self.write(bytes).await,
            Step::Chunk(data) => {
                let mut bytes = format!("{:x}\r\n", data.len()).into_bytes();
                bytes.extend_from_slice(&data);
                bytes.extend_from_slice(b"\r\n");
                self.write(bytes.into()).await
            }
            Step::LastChunk(trailers) => {
                let pairs: Vec<(&str, &str)> =
                    trailers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let end = format!("0\r\n{}\r\n", lines(&pairs));
                self.write(end.into()).await
            }
            Step::Fill(length) => self.fill(length).await,
            Step::Drip(bytes, pause) => {
                for byte in bytes {
                    self.write(Bytes::from(vec![byte])).await?;
                    self.unless_gone(tokio::time::sleep(pause)).await?;
                }
                Ok(())
            }
            Step::Pause(pause) => self.unless_gone(tokio::time::sleep(pause)).await,
            Step::Wait(gate) => self.unless_gone(gate.passed()).await,
            Step::ReadBody => self.read_body(decoder, place).await,
            Step::Hang => self.unless_gone(std::future::pending()).await,
            Step::Echo => self.echo().await,
            Step::HalfClose => {
                self.stream.shutdown().await.ok();
                while self.read_more().await {}
                Err(Over::ByScript)
            }
            Step::Close => Err(Over::ByScript),
            Step::Reset => {
                socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).ok();
                Err(Over::ByScript)
            }
        }
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), Over> {
        self.stream.write_all(&bytes).await.map_err(|_| Over::ByPeer)
    }

    async fn fill(&mut self, length: u64) -> Result<(), Over> {
        let mut left = length;
        while left > 0 {
            let piece = left.min(FILLER.len() as u64);
            self.write(Bytes::from_static(FILLER).slice(..piece as usize)).await?;
            left -= piece;
        }
        Ok(())
    }

    async fn echo(&mut self) -> Result<(), Over> {
        loop {
            let bytes = self.buffer.split().freeze();
            self.write(bytes).await?;
            if !self.read_more().await {
                return Err(Over::ByScript);
            }
        }
    }

    /// Runs `future` and notices when the peer leaves meanwhile.
    async fn unless_gone(&mut self, future: impl Future<Output = ()>) -> Result<(), Over> {
        tokio::pin!(future);
        loop {
            tokio::select! {
                biased;
                () = &mut future => return Ok(()),
                alive = self.read_more() => if !alive { return Err(Over::ByPeer) },
            }
        }
    }
}
