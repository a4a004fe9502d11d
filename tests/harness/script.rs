//! What a scripted upstream does with a request: a list of steps.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

/// One step of a [`Reply`].
#[derive(Clone, Debug)]
pub enum Step {
    /// Writes exactly these bytes.
    Bytes(Bytes),
    /// Writes these bytes as one chunk.
    Chunk(Bytes),
    /// Ends a chunked body with these trailer lines.
    LastChunk(Vec<(String, String)>),
    /// Writes this many `x`, 16 KiB at a time.
    Fill(u64),
    /// Writes the bytes one at a time with a pause between them.
    Drip(Bytes, Duration),
    /// Does nothing for a while (an upstream that is slow, not a test that hopes).
    Pause(Duration),
    /// Waits until the test opens the gate.
    Wait(Gate),
    /// Reads the rest of the request's body.
    ReadBody,
    /// Never does anything again; ends when the peer goes.
    Hang,
    /// Sends back what comes, until the peer's end (a tunnel after 101).
    Echo,
    /// Shuts the sending side down and waits for the peer's end.
    HalfClose,
    /// Closes in order (FIN).
    Close,
    /// Closes with a reset (RST).
    Reset,
}

/// The steps that answer one request. After the last one the connection is kept, unless a step
/// closed it.
#[derive(Clone, Debug)]
pub struct Reply {
    /// In order.
    pub steps: Vec<Step>,
}

// === impl Reply ===

impl Reply {
    /// No step yet.
    pub fn new() -> Self {
        Self { steps: Vec::new() }
    }

    /// 200 with this body and its Content-Length.
    pub fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::with(200, &[], body)
    }

    /// An answer with these headers, this body and its Content-Length.
    pub fn with(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
        head.push_str(&lines(headers));
        head.push_str(&lines(&[("content-length", &body.len().to_string())]));
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        Self::raw(bytes)
    }

    /// 200 that begins a chunked body; add chunks with [`Reply::then`].
    pub fn chunked(headers: &[(&str, &str)]) -> Self {
        let mut head = String::from("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n");
        head.push_str(&lines(headers));
        head.push_str("\r\n");
        Self::raw(head)
    }

    /// 200 that promises `length` bytes and sends none yet.
    pub fn promise(length: u64) -> Self {
        Self::raw(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n"))
    }

    /// Exactly these bytes.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new().then(Step::Bytes(Bytes::from(bytes.into())))
    }

    /// Only this step.
    pub fn only(step: Step) -> Self {
        Self::new().then(step)
    }

    /// One more step.
    #[must_use]
    pub fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// The same after a pause.
    #[must_use]
    pub fn after(mut self, pause: Duration) -> Self {
        self.steps.insert(0, Step::Pause(pause));
        self
    }

    /// The same once the gate is open.
    #[must_use]
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.steps.insert(0, Step::Wait(gate.clone()));
        self
    }
}

impl Default for Reply {
    fn default() -> Self {
        Self::new()
    }
}

/// Header or trailer lines.
pub(crate) fn lines(pairs: &[(&str, &str)]) -> String {
    pairs.iter().map(|(name, value)| [name, ": ", value, "\r\n"].concat()).collect()
}

/// A door that a test opens once; clones share it.
#[derive(Clone, Debug)]
pub struct Gate {
    open: watch::Sender<bool>,
}

// === impl Gate ===

impl Gate {
    /// A closed gate.
    pub fn closed() -> Self {
        Self { open: watch::Sender::new(false) }
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Returns once the gate is open.
    pub async fn passed(&self) {
        let mut open = self.open.subscribe();
        // The sender lives as long as `self`, so that waiting can't fail.
        open.wait_for(|open| *open).await.expect("the gate's sender is alive");
    }
}
