use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::{JOINED_BYTES_MAX, REFUSED_REQUEST, State, WINDOW_BYTES, Wire, join};
use crate::deadline::Deadlines;
use crate::listen::connection::{Connection, Unreadable};
use crate::listen::transport::Transport;
use crate::screen::{HeadLimits, RequestScreen};

const GET: &[u8] = b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n";
const POST: &[u8] = b"POST /b HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nxyz";
const CHUNKED: &[u8] = b"PUT /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n\
                         2\r\nab\r\n0\r\n\r\n";

/// A wire that has `sniffed` to say first, and the client's end of its socket.
async fn wire(sniffed: &[u8]) -> (Wire, TcpStream, Rc<Connection>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, peer) = listener.accept().await.unwrap();
    let connection = Rc::new(Connection::new(peer, false, false, 0));
    let limits = HeadLimits { head_bytes_max: 4096, headers_max: 16 };
    let wire = Wire::new(
        Transport::Plain(stream),
        Bytes::copy_from_slice(sniffed),
        Rc::clone(&connection),
        Deadlines::default(),
        Some(Box::new(RequestScreen::new(limits))),
    );
    (wire, client, connection)
}

/// What hyper gets until the end, an error, or the stand-in; at most `room` bytes a read.
async fn read_all(wire: &mut Wire, room: usize) -> (Vec<u8>, io::Result<()>) {
    let mut got = Vec::new();
    loop {
        let mut bytes = vec![0; room];
        let read = poll_fn(|cx| {
            let mut buf = ReadBuf::new(&mut bytes);
            match Pin::new(&mut *wire).poll_read(cx, &mut buf) {
                Poll::Pending if wire.state == State::Refused => Poll::Ready(Ok(0)),
                polled => polled.map_ok(|()| buf.filled().len()),
            }
        });
        match read.await {
            Ok(0) => return (got, Ok(())),
            Ok(n) => got.extend_from_slice(&bytes[..n]),
            Err(error) => return (got, Err(error)),
        }
    }
}

/// Sends `bytes` split at `split`, then ends; the first part is there before anything is read.
async fn pass(
    bytes: &[u8],
    split: usize,
    room: usize,
) -> (Vec<u8>, io::Result<()>, Option<Unreadable>) {
    let (mut wire, mut client, connection) = wire(&bytes[..split]).await;
    client.write_all(&bytes[split..]).await.unwrap();
    client.shutdown().await.unwrap();
    let (got, end) = read_all(&mut wire, room).await;
    (got, end, connection.refused.get())
}

/// Every split of `bytes`, read in one piece and byte by byte.
fn splits(bytes: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    (0..=bytes.len()).flat_map(|split| [(split, 1), (split, 8192)])
}

#[tokio::test]
async fn whole_requests_pass_untouched_wherever_they_are_split() {
    let bytes = [GET, POST, CHUNKED, GET].concat();
    for (split, room) in splits(&bytes) {
        let (got, end, refused) = pass(&bytes, split, room).await;
        assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(&bytes), "at {split}");
        assert!(end.is_ok() && refused.is_none(), "at {split}");
    }
}

#[tokio::test]
async fn a_malformed_head_is_replaced_in_its_turn_and_nothing_follows() {
    let bad = b"GET /bad HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n";
    let bytes = [POST, bad, GET].concat();
    let seen = [POST, REFUSED_REQUEST].concat();
    for (split, room) in splits(&bytes) {
        let (got, end, refused) = pass(&bytes, split, room).await;
        assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(&seen), "at {split}");
        assert!(end.is_ok(), "at {split}");
        assert!(matches!(refused, Some(Unreadable::Malformed(_))), "at {split}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_is_cut_where_it_breaks() {
    let whole = b"PUT /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab";
    let bytes = [GET, whole, b"XX\r\n0\r\n\r\n", GET].concat();
    let seen = [GET, whole].concat();
    for (split, room) in splits(&bytes) {
        let (got, end, refused) = pass(&bytes, split, room).await;
        assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(&seen), "at {split}");
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::InvalidData, "at {split}");
        assert!(matches!(refused, Some(Unreadable::Malformed(_))), "at {split}");
    }
}

#[tokio::test]
async fn a_head_that_never_comes_whole_is_never_seen() {
    for length in 0..GET.len() {
        for room in [1, 8192] {
            let (got, end, refused) =
                pass(&[POST, &GET[..length]].concat(), POST.len(), room).await;
            assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(POST), "{length}");
            assert!(end.is_ok() && refused.is_none(), "{length}");
        }
    }
}

#[tokio::test]
async fn a_slow_head_is_timed_from_its_first_byte_and_refused_by_the_guard() {
    let (mut wire, mut client, connection) = wire(&GET[..7]).await;
    let mut bytes = [0; 64];
    let mut poll = async |wire: &mut Wire| {
        let read = poll_fn(|cx| {
            Poll::Ready(Pin::new(&mut *wire).poll_read(cx, &mut ReadBuf::new(&mut bytes)))
        });
        read.await.is_ready()
    };
    assert!(!poll(&mut wire).await, "seven bytes of a head are held back");
    assert_ne!(connection.head_tick.get(), 0);
    connection.refused.set(Some(Unreadable::TooSlow));
    let (got, end) = read_all(&mut wire, 8192).await;
    assert_eq!(got, REFUSED_REQUEST);
    assert!(end.is_ok());
    assert_eq!(connection.head_tick.get(), 0);
    client.write_all(&GET[7..]).await.unwrap();
    assert!(!poll(&mut wire).await, "nothing more is read");
}

#[tokio::test]
async fn a_head_without_end_is_refused_at_its_bound() {
    let bytes = [b"GET / HTTP/1.1\r\nx: ".as_slice(), &[b'a'; 8000]].concat();
    for room in [1, 8192] {
        let (got, end, refused) = pass(&bytes, 0, room).await;
        assert_eq!(got, REFUSED_REQUEST);
        assert!(end.is_ok());
        let Some(Unreadable::Malformed(why)) = refused else { panic!("{refused:?}") };
        assert_eq!(why.status(), 431);
    }
}

#[tokio::test]
async fn a_tunnel_gets_every_byte_that_nobody_acted_on() {
    let early = [GET, &POST[..9]].concat();
    let (mut first, _client, _connection) = wire(&early).await;
    let mut taken = [0; 5];
    first.read_exact(&mut taken).await.unwrap();
    let (_, rest) = first.into_tunnel(Bytes::copy_from_slice(&taken)).unwrap();
    assert_eq!(String::from_utf8_lossy(&rest), String::from_utf8_lossy(&early));

    let (mut refused, _client, _connection) = wire(b"\x81\x02hi").await;
    assert_eq!(read_all(&mut refused, 8192).await.0, REFUSED_REQUEST);
    assert!(refused.into_tunnel(Bytes::new()).is_none(), "not the stand-in");
}

#[tokio::test]
async fn an_answer_is_handed_over_no_faster_than_the_socket_takes_it() {
    let (_wire, _client, connection) = wire(b"").await;
    let writable = || poll_fn(|cx| Poll::Ready(connection.poll_writable(cx).is_ready()));
    assert!(writable().await);
    connection.note_handed(WINDOW_BYTES);
    assert!(!writable().await);
    connection.note_written(1);
    assert!(writable().await);
    connection.note_written(10 * WINDOW_BYTES);
    assert!(writable().await, "heads are written too, though never noted");
}

#[tokio::test]
async fn an_answer_given_at_once_is_written_to_its_end_before_anything_else() {
    // More than the socket takes.
    let answer = vec![b'a'; 16 << 20];
    let (mut wire, mut client, connection) = wire(b"").await;
    wire.unsent.clone_from(&answer);
    client.write_all(GET).await.unwrap();
    let mut bytes = [0; 64];
    let mut read = async |wire: &mut Wire| {
        poll_fn(|cx| {
            let mut buf = ReadBuf::new(&mut bytes);
            let polled = Pin::new(&mut *wire).poll_read(cx, &mut buf);
            Poll::Ready(polled.map_ok(|()| buf.filled().len()))
        })
        .await
    };
    assert!(read(&mut wire).await.is_pending(), "nobody asks faster than he reads");
    assert_ne!(connection.stalled_tick.get(), 0, "the guard sees a client that doesn't read");
    let taken = tokio::spawn(async move {
        let mut taken = Vec::new();
        client.read_to_end(&mut taken).await.unwrap();
        taken
    });
    wire.write_all(b"next").await.unwrap();
    assert_eq!(connection.stalled_tick.get(), 0);
    let Poll::Ready(Ok(read)) = read(&mut wire).await else { panic!("the next call is read") };
    assert_eq!(&bytes[..read], GET);
    wire.unsent = b"last".to_vec();
    wire.shutdown().await.unwrap();
    let taken = taken.await.unwrap();
    assert!(taken.starts_with(&answer) && taken[answer.len()..] == *b"nextlast");
}

#[test]
fn small_pieces_are_joined_and_large_ones_are_not() {
    let (head, body, more) = ([b'h'; 300], [b'b'; JOINED_BYTES_MAX - 300], [b'm'; 1]);
    let slices = [&head[..], &[], &body, &more].map(io::IoSlice::new);
    let mut room = [0; JOINED_BYTES_MAX];
    assert_eq!(join(&slices[..3], &mut room).unwrap(), [&head[..], &body].concat());
    assert_eq!(join(&slices, &mut room), None);
}
