//! HTTP/2 by hand: malformed requests and floods, and what of them reaches an HTTP/1.1 upstream.

use std::time::Duration;

use sumun_tests::frame::{self, END_STREAM, Frame, kind};
use sumun_tests::{
    Broken, Client, DEADLINE, Gate, H2Client, H2Reply, H2Upstream, Reply, Step, Sumun, Upstream,
    within,
};

use crate::policies;

/// `ENHANCE_YOUR_CALM`.
const CALM: u32 = 11;

/// A gateway in front of an HTTP/1.1 upstream that answers `ok`.
async fn plain() -> (Upstream, Sumun) {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    (upstream, sumun)
}

/// Sends the bytes after an opening and returns the frames that came until the end or silence.
async fn frames_after(sumun: &Sumun, bytes: &[u8]) -> (Vec<Frame>, Broken) {
    let client = Client::connect(sumun.address()).await;
    let mut client = client.deadline(Duration::from_millis(700));
    client.send([frame::opening().as_slice(), bytes].concat()).await;
    let (bytes, end) = client.rest().await;
    (frame::parse(&bytes), end)
}

/// Whether stream 1 was refused: reset, answered 400, or the connection was given up.
fn refused(frames: &[Frame]) -> bool {
    let reset = |f: &Frame| f.kind == kind::RST_STREAM && f.stream == 1;
    let gone = |f: &Frame| f.kind == kind::GOAWAY && f.error_code() != Some(0);
    // :status 400 is entry 12 of the static table.
    let bad = |f: &Frame| f.kind == kind::HEADERS && f.payload.first() == Some(&0x8c);
    frames.iter().any(|f| reset(f) || gone(f) || bad(f))
}

/// Sends a flood piece by piece until the gateway closes; returns the error code of its GOAWAY.
async fn flood(
    sumun: &Sumun,
    opening: Vec<u8>,
    piece: impl Fn(u32) -> Vec<u8>,
    pieces: u32,
) -> Option<u32> {
    let mut client = Client::connect(sumun.address()).await.deadline(Duration::from_secs(5));
    client.send([frame::opening(), opening].concat()).await;
    for n in 0..pieces {
        if client.try_send(piece(n)).await.is_err() {
            break;
        }
    }
    let (bytes, end) = client.rest().await;
    assert_ne!(end, Broken::Late, "the connection stays open under the flood");
    frame::parse(&bytes)
        .iter()
        .filter(|f| f.kind == kind::GOAWAY)
        .filter_map(Frame::error_code)
        .next_back()
}

#[tokio::test]
async fn point_07_cookie_crumbs_are_joined_and_the_version_is_1_1() {
    let (upstream, sumun) = plain().await;
    let client = H2Client::connect(sumun.address()).await;
    let crumbs = [("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")];
    let answer = client.call("GET", "/", &crumbs, b"", &[]).await.expect("an answer");
    assert_eq!(answer.status, 200);
    let seen = upstream.only_request();
    assert_eq!(seen.all("cookie"), ["a=1; b=2; c=3"]);
    assert_eq!(seen.head.word(2), "HTTP/1.1");
    assert_eq!(seen.all("host"), ["gateway.test"]);
}

#[tokio::test]
async fn point_07_malformed_requests_are_refused_and_nothing_goes_up() {
    let (upstream, sumun) = plain().await;
    let method = (":method", "GET");
    let scheme = (":scheme", "http");
    let authority = (":authority", "a.test");
    let path = (":path", "/");
    let cases: Vec<Vec<(&str, &str)>> = vec![
        vec![method, scheme, authority],
        vec![method, authority, path],
        vec![scheme, authority, path],
        vec![method, scheme, path, path, authority],
        vec![method, method, scheme, path, authority],
        vec![method, scheme, authority, (":path", "")],
        vec![method, scheme, authority, (":path", "no-slash")],
        vec![method, scheme, authority, (":path", "/a b")],
        vec![method, scheme, authority, (":path", "/a\r\nx: y")],
        vec![method, scheme, authority, path, (":status", "200")],
        vec![method, scheme, authority, path, (":unknown", "x")],
        vec![method, scheme, authority, ("x", "1"), path],
        vec![method, scheme, authority, path, ("Upper", "x")],
        vec![method, scheme, authority, path, ("connection", "close")],
        vec![method, scheme, authority, path, ("keep-alive", "1")],
        vec![method, scheme, authority, path, ("proxy-connection", "x")],
        vec![method, scheme, authority, path, ("transfer-encoding", "chunked")],
        vec![method, scheme, authority, path, ("upgrade", "h2c")],
        vec![method, scheme, authority, path, ("te", "gzip")],
        vec![method, scheme, authority, path, ("x", "a\r\nb: c")],
        vec![method, scheme, authority, path, ("x", "a\nb")],
        vec![method, scheme, authority, path, ("x", "a\0b")],
        vec![method, scheme, authority, path, ("x y", "a")],
        vec![method, scheme, authority, path, ("x:y", "a")],
        vec![method, scheme, authority, path, ("", "a")],
        vec![method, scheme, authority, path, ("a_b", "a")],
        vec![method, scheme, path],
        vec![method, scheme, path, (":authority", "user@a.test")],
        vec![method, scheme, path, (":authority", "a.test/x")],
        vec![method, scheme, path, (":authority", "a b")],
        vec![(":method", "G T"), scheme, authority, path],
        vec![(":method", "CONNECT"), authority],
        vec![(":method", "TRACE"), scheme, authority, path],
        vec![method, scheme, authority, path, ("content-length", "1")],
        vec![method, scheme, authority, path, ("content-length", "x")],
    ];
    let mut wrong = Vec::new();
    for fields in cases {
        let (frames, _) =
            frames_after(&sumun, &frame::headers(1, END_STREAM, &frame::block(&fields))).await;
        // 405 and 501 carry a literal status: a stream that isn't answered 200 and shows nothing
        // upstream is refused, too.
        let ok = |f: &Frame| f.kind == kind::HEADERS && f.payload.first() == Some(&0x88);
        let answered = !refused(&frames) && frames.iter().any(ok);
        if answered || !upstream.all_bytes().is_empty() {
            wrong.push((fields, String::from_utf8_lossy(&upstream.all_bytes()).into_owned()));
            upstream.forget();
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(H2Client::connect(sumun.address()).await.get("/").await.status, 200);
}

#[tokio::test]
async fn point_01_authority_wins_and_host_is_rewritten_to_match() {
    let (upstream, sumun) = plain().await;
    let client = H2Client::connect(sumun.address()).await;
    let answer = client.call("GET", "/", &[("host", "other.test")], b"", &[]).await;
    assert_eq!(answer.expect("an answer").status, 200);
    let seen = upstream.only_request();
    assert_eq!(seen.all("host"), ["gateway.test"]);
    assert_eq!(seen.all("x-forwarded-host"), ["gateway.test"]);
}

#[tokio::test]
async fn point_06_a_fragment_in_a_path_never_goes_up() {
    let (upstream, sumun) = plain().await;
    let block = frame::get("/a#b", &[]);
    frames_after(&sumun, &frame::headers(1, END_STREAM, &block)).await;
    // The HTTP library cuts it off before anybody can see it; over HTTP/1.1 it is a 400.
    for seen in upstream.requests() {
        assert_eq!(seen.target(), "/a");
    }
}

#[tokio::test]
async fn point_07_content_length_is_checked_against_the_data() {
    let (upstream, sumun) = plain().await;
    let post = |length: &str| {
        frame::block(&[
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "a.test"),
            (":path", "/"),
            ("content-length", length),
        ])
    };
    for (length, data) in [("3", "abcd"), ("5", "abcd"), ("0", "a")] {
        let stream = [
            frame::headers(1, 0, &post(length)),
            frame::frame(kind::DATA, END_STREAM, 1, data.as_bytes()),
        ];
        let (frames, _) = frames_after(&sumun, &stream.concat()).await;
        assert!(refused(&frames), "{length} for {data:?}: {frames:?}");
        for seen in upstream.requests() {
            assert!(!seen.complete, "{length} for {data:?}: {seen:?}");
        }
        assert!(upstream.malformed().is_empty());
        upstream.forget();
    }
}

/// Where the length is known, nobody asks for the frame that says so again.
#[tokio::test]
async fn an_end_in_a_frame_of_its_own_does_not_cost_the_upstream_connection() {
    let (upstream, sumun) = plain().await;
    let client = H2Client::connect(sumun.address()).await;
    for _ in 0..3 {
        let request = H2Client::request("POST", "/", &[("content-length", "2")]);
        let (answer, mut body) = client.open(request, false).await.expect("a stream");
        body.send_data("ok".into(), false).expect("data");
        body.send_data(bytes::Bytes::new(), true).expect("an end");
        let answer = sumun_tests::collect(answer).await.expect("an answer");
        assert_eq!(answer.status, 200);
    }
    assert_eq!(upstream.connection_count(), 1);
}

#[tokio::test]
async fn point_07_trailers_are_filtered() {
    let (upstream, sumun) = plain().await;
    let client = H2Client::connect(sumun.address()).await;
    let trailers =
        [("x-good", "1"), ("content-length", "9"), ("host", "evil"), ("authorization", "evil")];
    let headers = [("te", "trailers"), ("trailer", "x-good")];
    let answer = client.call("POST", "/", &headers, b"x", &trailers).await;
    let bytes = String::from_utf8_lossy(&upstream.all_bytes()).to_lowercase();
    assert!(!bytes.contains("evil") && !bytes.contains("content-length: 9"), "{bytes}");
    if answer.is_ok_and(|answer| answer.status == 200) {
        assert_eq!(upstream.only_request().trailers, [("x-good".to_owned(), "1".to_owned())]);
    }
}

#[tokio::test]
async fn point_07_http1_specifics_do_not_go_to_http2() {
    let upstream = H2Upstream::start(|_| H2Reply::ok("ok")).await;
    let sumun = Sumun::start(&policies::to_h2(&upstream.url())).await;
    let headers = [
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "1"),
        ("keep-alive", "1"),
        ("upgrade", "websocket"),
        ("te", "gzip, trailers"),
        ("Cookie", "a=1; b=2"),
    ];
    assert_eq!(sumun.call("GET", "/", &headers, b"").await.status, 200);
    let seen = upstream.only_request();
    for gone in ["connection", "x-hop", "keep-alive", "upgrade", "host", "transfer-encoding"] {
        assert!(!seen.headers.contains_key(gone), "{gone}: {:?}", seen.headers);
    }
    assert!(seen.headers.get("te").is_none_or(|te| te == "trailers"), "{:?}", seen.headers);
    assert_eq!(seen.headers["cookie"], "a=1; b=2");
}

#[tokio::test]
async fn point_07_a_death_in_the_body_resets_the_stream() {
    let reply =
        Reply::promise(100).then(Step::Fill(10)).then(Step::Pause(Duration::from_millis(50)));
    let reply = reply.then(Step::Close);
    let upstream = Upstream::start(move |request| match request.target() {
        "/dies" => reply.clone(),
        _ => Reply::ok("ok"),
    })
    .await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let client = H2Client::connect(sumun.address()).await;
    let error = client.call("GET", "/dies", &[], b"", &[]).await.expect_err("a reset stream");
    assert!(error.is_reset(), "{error}");
    assert_eq!(client.get("/").await.status, 200, "the connection goes on");
}

#[tokio::test]
async fn point_12_rapid_reset_is_calmed() {
    let gate = Gate::closed();
    let behind = gate.clone();
    let upstream = Upstream::start(move |_| Reply::ok("x").behind(&behind)).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let before = sumun.anonymous_kib();
    let block = frame::get("/", &[]);
    let piece = |n: u32| {
        (0..50)
            .flat_map(|k| {
                let stream = (n * 50 + k) * 2 + 1;
                [frame::headers(stream, END_STREAM, &block), frame::cancel(stream)].concat()
            })
            .collect()
    };
    let code = flood(&sumun, Vec::new(), piece, 2_000).await;
    assert_eq!(code, Some(CALM));
    assert!(
        sumun.anonymous_kib() < before + 8 * 1024,
        "{before} KiB → {} KiB",
        sumun.anonymous_kib()
    );
    gate.open();
    sumun.idle(DEADLINE).await;
    upstream.idle(DEADLINE).await;
    assert_eq!(sumun.get("/").await.status, 200);
}

#[tokio::test]
async fn point_12_made_you_reset_is_calmed() {
    let gate = Gate::closed();
    let behind = gate.clone();
    let upstream = Upstream::start(move |_| Reply::ok("x").behind(&behind)).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let block = frame::get("/", &[]);
    // A window update of 0 is a stream error: the gateway itself has to reset the stream.
    let piece = |n: u32| {
        (0..50)
            .flat_map(|k| {
                let stream = (n * 50 + k) * 2 + 1;
                let zero = frame::frame(kind::WINDOW_UPDATE, 0, stream, &[0; 4]);
                [frame::headers(stream, END_STREAM, &block), zero].concat()
            })
            .collect()
    };
    let code = flood(&sumun, Vec::new(), piece, 2_000).await;
    assert!(matches!(code, Some(CALM | 1)), "{code:?}");
    gate.open();
    sumun.idle(DEADLINE).await;
    upstream.idle(DEADLINE).await;
}

#[tokio::test]
async fn point_12_continuation_floods_end_the_connection() {
    let (upstream, sumun) = plain().await;
    let before = sumun.anonymous_kib();
    let open = frame::frame(kind::HEADERS, 0, 1, &frame::get("/", &[]));
    let field = frame::block(&[("x-fill", &"v".repeat(8_000))]);
    let piece = |_| frame::frame(kind::CONTINUATION, 0, 1, &field);
    flood(&sumun, open.clone(), piece, 10_000).await;
    let empty = |_| frame::frame(kind::CONTINUATION, 0, 1, &[]);
    flood(&sumun, open, empty, 200_000).await;
    assert!(
        sumun.anonymous_kib() < before + 4 * 1024,
        "{before} KiB → {} KiB",
        sumun.anonymous_kib()
    );
    assert!(upstream.all_bytes().is_empty());
}

#[tokio::test]
async fn point_12_header_bombs_are_refused() {
    let (upstream, sumun) = plain().await;
    let before = sumun.anonymous_kib();
    // One entry of 4,000 bytes in the dynamic table, then referred to 16,000 times: 64 MB.
    let mut block = frame::get("/", &[]);
    block.push(0x40);
    let value = "v".repeat(4_000);
    block.extend_from_slice(&frame::block(&[("x-bomb", &value)])[1..]);
    block.extend(std::iter::repeat_n(0xbe, 12_000));
    let (frames, _) = frames_after(&sumun, &frame::headers(1, END_STREAM, &block)).await;
    let ok = |f: &Frame| f.kind == kind::HEADERS && f.payload.first() == Some(&0x88);
    assert!(!frames.iter().any(ok), "{frames:?}");
    assert!(upstream.all_bytes().is_empty());
    assert!(
        sumun.anonymous_kib() < before + 4 * 1024,
        "{before} KiB → {} KiB",
        sumun.anonymous_kib()
    );
    assert_eq!(H2Client::connect(sumun.address()).await.get("/").await.status, 200);
}

#[tokio::test]
async fn point_12_empty_data_floods_end_the_connection() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let open = frame::headers(
        1,
        0,
        &frame::block(&[
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "a"),
            (":path", "/"),
        ]),
    );
    let piece = |_| frame::frame(kind::DATA, 0, 1, &[]).repeat(100);
    let code = flood(&sumun, open, piece, 20_000).await;
    assert_eq!(code, Some(CALM));
    sumun.idle(DEADLINE).await;
}

#[tokio::test]
async fn point_12_ping_and_settings_floods_cost_no_memory() {
    let (_upstream, sumun) = plain().await;
    let before = sumun.anonymous_kib();
    let ping = frame::frame(kind::PING, 0, 0, &[7; 8]).repeat(500);
    let settings = frame::frame(kind::SETTINGS, 0, 0, &[]).repeat(500);
    for piece in [ping, settings] {
        let mut client =
            Client::connect(sumun.address()).await.deadline(Duration::from_millis(300));
        client.send(frame::opening()).await;
        // Nothing is read, so that the answers have to queue somewhere.
        for _ in 0..200 {
            if client.try_send(&piece).await.is_err() {
                break;
            }
        }
        let grown = sumun.anonymous_kib().saturating_sub(before);
        assert!(grown < 4 * 1024, "{grown} KiB");
        let other = within("another client", Duration::from_secs(2), sumun.get("/")).await;
        assert_eq!(other.status, 200);
    }
}
