//! A TCP proxy between two addresses that fails on demand.
//!
//! It begins in [`FaultProxy::start`] in [`Mode::Pass`] and ends when dropped. Each direction
//! holds at most one buffer of 16 KiB, so that a stall is felt by the sender.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What the proxy does to every connection, present and future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Passes bytes on.
    Pass,
    /// Passes each piece on after a pause.
    Delay(Duration),
    /// Passes at most this many bytes a second in each direction.
    Rate(u32),
    /// Takes nothing from the client.
    StallUp,
    /// Takes nothing from the server.
    StallDown,
    /// Takes nothing from either, and makes no new connection onwards: a hung host.
    Hang,
    /// Resets every connection, also new ones.
    Reset,
}

/// A running proxy.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    target: watch::Sender<SocketAddr>,
    accepting: tokio::task::JoinHandle<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

// === impl FaultProxy ===

impl FaultProxy {
    /// A proxy in front of `target` on a port of its own.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port for the proxy");
        let address = listener.local_addr().expect("a bound listener has an address");
        let mode = watch::Sender::new(Mode::Pass);
        let target = watch::Sender::new(target);
        let accepting = tokio::spawn(accept(listener, target.clone(), mode.clone()));
        Self { address, mode, target, accepting }
    }

    /// Sends new connections elsewhere.
    pub fn aim(&self, target: SocketAddr) {
        self.target.send_replace(target);
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` and its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes what it does, at once and for every connection.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Resets the connections of now; new ones pass.
    pub async fn reset_all(&self) {
        self.set(Mode::Reset);
        // Every connection holds a receiver: the last to leave has reset its sockets.
        let gone = async || match self.mode.receiver_count() {
            0 => Ok(()),
            left => Err(left),
        };
        crate::eventually("the proxy's connections are reset", crate::DEADLINE, gone).await;
        self.set(Mode::Pass);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: watch::Sender<SocketAddr>,
    mode: watch::Sender<Mode>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    let target = *target.borrow();
                    connections.spawn(carry(client, target, mode.subscribe()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(mut client: TcpStream, target: SocketAddr, mut mode: watch::Receiver<Mode>) {
    client.set_nodelay(true).ok();
    let until_open = mode.wait_for(|mode| *mode != Mode::Hang).await.map(|mode| *mode);
    if !until_open.is_ok_and(|mode| mode != Mode::Reset) {
        return reset(&client);
    }
    let Ok(mut server) = TcpStream::connect(target).await else { return reset(&client) };
    server.set_nodelay(true).ok();
    let finished = {
        let (client_read, client_write) = client.split();
        let (server_read, server_write) = server.split();
        let up = pump(client_read, server_write, Direction::Up, mode.clone());
        let down = pump(server_read, client_write, Direction::Down, mode.clone());
        let both = async { tokio::join!(up, down) };
        tokio::select! {
            (up, down) = both => up && down,
            _ = mode.wait_for(|mode| *mode == Mode::Reset) => false,
        }
    };
    if !finished {
        reset(&client);
        reset(&server);
    }
    // The sockets go before the receiver, so that who counts receivers knows they are gone.
    drop((client, server));
    drop(mode);
}

fn reset(stream: &TcpStream) {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).ok();
}

/// True where it ended in order; an error of either side is passed on as a reset.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    direction: Direction,
    mut mode: watch::Receiver<Mode>,
) -> bool {
    let mut buffer = [0; 16 * 1024];
    loop {
        let flows = |mode: &Mode| match mode {
            Mode::StallUp => direction != Direction::Up,
            Mode::StallDown => direction != Direction::Down,
            Mode::Hang => false,
            _ => true,
        };
        let Ok(now) = mode.wait_for(flows).await.map(|mode| *mode) else { return false };
        let piece = match now {
            // Twenty pieces a second.
            Mode::Rate(rate) => (rate as usize / 20).clamp(1, buffer.len()),
            _ => buffer.len(),
        };
        let length = tokio::select! {
            read = from.read(&mut buffer[..piece]) => match read {
                Ok(length) => length,
                Err(_) => return false,
            },
            // A stall must hold also what would come while we wait for it.
            _ = mode.changed() => continue,
        };
        if length == 0 {
            return to.shutdown().await.is_ok();
        }
        match now {
            Mode::Delay(pause) => tokio::time::sleep(pause).await,
            Mode::Rate(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            _ => {}
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return false;
        }
    }
}
