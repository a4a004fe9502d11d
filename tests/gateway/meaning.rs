//! Whatever form a request comes in, its upstream is asked for just that: a body where nobody expects
//! one, a target in another form, a length said twice.

use sumun_tests::frame::{self, END_STREAM, kind};
use sumun_tests::{
    Client, DEADLINE, H2Client, H2Reply, H2Upstream, Recorded, Reply, Step, Sumun, Upstream,
    eventually,
};

use crate::path::plain;
use crate::policies;

/// What the upstream got of one stream, its first frames by hand; none where it was refused.
async fn sent_up(upstream: &Upstream, sumun: &Sumun, frames: &[Vec<u8>]) -> Vec<Recorded> {
    upstream.forget();
    let mut client = Client::connect(sumun.address()).await;
    client.send([frame::opening(), frames.concat()].concat()).await;
    let mut bytes = Vec::new();
    // The first frame of stream 1 is its answer or its reset; a GOAWAY ends all.
    while !frame::parse(&bytes).iter().any(|f| f.stream == 1 || f.kind == kind::GOAWAY) {
        match client.take(1).await {
            Ok(byte) => bytes.extend(byte),
            Err(_) => break,
        }
    }
    upstream.requests()
}

fn post(more: &[(&str, &str)]) -> Vec<u8> {
    let fields = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/")];
    frame::block(&[&fields, more].concat())
}

#[tokio::test]
async fn a_body_goes_up_whole_whatever_the_method() {
    let (upstream, sumun) = plain().await;
    let framings = [
        ("transfer-encoding: chunked", "4\r\nbody\r\n0\r\n\r\n", &b"body"[..]),
        ("content-length: 4", "body", b"body"),
        ("transfer-encoding: chunked", "0\r\n\r\n", b""),
    ];
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "POST", "QUERY"] {
        for (framing, text, body) in framings {
            upstream.forget();
            let mut client = Client::connect(sumun.address()).await;
            let next = "GET /next HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
            let request =
                format!("{method} /q HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n{text}{next}");
            client.send(request).await;
            client.rest().await;
            let seen = upstream.requests();
            assert_eq!(seen.len(), 2, "{method} {framing}: {seen:#?}");
            assert_eq!((seen[0].method(), seen[0].body.as_slice()), (method, body), "{framing}");
            assert!(seen[0].complete && seen[1].target() == "/next", "{method} {framing}");
        }
    }
    assert!(upstream.malformed().is_empty(), "{:?}", upstream.malformed());
}

#[tokio::test]
async fn a_body_over_http2_goes_up_whole_whatever_the_method() {
    let (upstream, sumun) = plain().await;
    let client = H2Client::connect(sumun.address()).await;
    for method in ["GET", "DELETE", "POST"] {
        upstream.forget();
        let answer = client.call(method, "/q", &[], b"body", &[]).await.expect("an answer");
        assert_eq!(answer.status, 200);
        assert_eq!(upstream.only_request().body, b"body", "{method}");
    }
    assert_eq!(upstream.connection_count(), 1, "each left the connection as it should be");
}

#[tokio::test]
async fn a_body_of_unknown_length_goes_from_http1_to_http2() {
    let upstream = H2Upstream::start(|request| H2Reply::ok(request.body.clone())).await;
    let sumun = Sumun::start(&policies::to_h2(&upstream.url())).await;
    for method in ["GET", "POST"] {
        let head = format!("{method} / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
        let mut client = Client::connect(sumun.address()).await;
        let answer = client.exchange(head + "4\r\nbody\r\n0\r\n\r\n").await;
        assert_eq!(answer.text(), "body", "{method}");
    }
}

#[tokio::test]
async fn an_absolute_target_without_a_path_is_asked_for_with_one() {
    let (upstream, sumun) = plain().await;
    // The first call of a connection and the next ones are written by different hands.
    for _ in 0..2 {
        let mut client = Client::connect(sumun.address()).await;
        for (target, origin_form) in [
            ("http://a.test?x=1", "/?x=1"),
            ("http://a.test", "/"),
            ("http://a.test/?", "/?"),
            ("/plain", "/plain"),
            ("HTTP://A.test:80/../b?x", "/b?x"),
            ("http://a.test?x=/../y", "/?x=/../y"),
        ] {
            upstream.forget();
            let request = format!("GET {target} HTTP/1.1\r\nhost: b.test\r\n\r\n");
            assert_eq!(client.exchange(request).await.status, 200, "{target}");
            assert_eq!(upstream.only_request().target(), origin_form, "{target}");
        }
    }
}

#[tokio::test]
async fn point_06_an_http2_path_is_a_path() {
    let (upstream, sumun) = plain().await;
    for path in ["?x=1", "x", "*", "http://a/"] {
        let seen =
            sent_up(&upstream, &sumun, &[frame::headers(1, END_STREAM, &frame::get(path, &[]))])
                .await;
        assert!(seen.is_empty(), "{path}: {seen:?}");
    }
}

/// The library that reads the path answers with an empty 400; the screen is there first.
#[tokio::test]
async fn what_no_target_may_have_is_refused_with_a_problem() {
    let (upstream, sumun) = plain().await;
    for target in ["/a<b", "/a>b", "/a`b", "/?a=\"b\"", "/?<", "http://a/<", "/a\\b", "/a{b}%"] {
        for calls in [0, 3] {
            let mut client = Client::connect(sumun.address()).await;
            for _ in 0..calls {
                client.exchange("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
            }
            upstream.forget();
            let request = format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n");
            client.exchange(request).await.problem(400, "bad_request");
            assert!(upstream.all_bytes().is_empty(), "{target}");
        }
    }
}

#[tokio::test]
async fn point_01_an_authority_over_http2_is_a_host_and_port() {
    let (upstream, sumun) = plain().await;
    for authority in ["a,b", "a;b", "a:", "a:99999", "[::g]", "a(b)", "a:b", "[v1.x]", "a%41"] {
        let fields = [(":method", "GET"), (":scheme", "http"), (":path", "/")];
        let block = frame::block(&[&fields[..], &[(":authority", authority)]].concat());
        let seen = sent_up(&upstream, &sumun, &[frame::headers(1, END_STREAM, &block)]).await;
        assert!(seen.is_empty(), "{authority}: {seen:?}");
    }
}

/// RFC 9113 §8.2.1.
#[tokio::test]
async fn point_07_a_value_over_http2_has_no_white_space_around_it() {
    let (upstream, sumun) = plain().await;
    for value in [" a", "a ", "\ta", "a\t", " "] {
        let block = frame::get("/", &[("x-a", value)]);
        let seen = sent_up(&upstream, &sumun, &[frame::headers(1, END_STREAM, &block)]).await;
        assert!(seen.is_empty(), "{value:?}: {seen:?}");
    }
    let block = frame::get("/", &[("x-a", "a b"), ("x-b", "")]);
    let seen = sent_up(&upstream, &sumun, &[frame::headers(1, END_STREAM, &block)]).await;
    assert_eq!(seen.len(), 1);
}

#[tokio::test]
async fn point_03_a_length_is_said_once_and_in_one_way_over_http2_too() {
    let (upstream, sumun) = plain().await;
    for lengths in [&["4", "4"][..], &["4", "5"], &["04"], &["+4"], &["4, 4"], &[" 4"], &["0x4"]] {
        let more: Vec<_> = lengths.iter().map(|length| ("content-length", *length)).collect();
        let data = frame::frame(kind::DATA, END_STREAM, 1, b"abcd");
        let stream = [frame::headers(1, 0, &post(&more)), data];
        let seen = sent_up(&upstream, &sumun, &stream).await;
        assert!(seen.is_empty(), "{lengths:?}: {seen:?}");
    }
    let twice = post(&[("content-length", "0"), ("content-length", "0")]);
    let seen = sent_up(&upstream, &sumun, &[frame::headers(1, END_STREAM, &twice)]).await;
    assert!(seen.is_empty(), "{seen:?}");
    let once = [
        frame::headers(1, 0, &post(&[("content-length", "4")])),
        frame::frame(kind::DATA, END_STREAM, 1, b"abcd"),
    ];
    let seen = sent_up(&upstream, &sumun, &once).await;
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[tokio::test]
async fn point_04_a_trailer_has_no_underscore_over_http2_either() {
    let (upstream, sumun) = plain().await;
    let client = H2Client::connect(sumun.address()).await;
    let trailers = [("x-good", "1"), ("x_forwarded_for", "evil"), ("content_length", "9")];
    let headers = [("te", "trailers"), ("trailer", "x-good, x_forwarded_for, content_length")];
    client.call("POST", "/", &headers, b"x", &trailers).await.expect("an answer");
    assert_eq!(upstream.only_request().trailers, [("x-good".to_owned(), "1".to_owned())]);
}

/// An answer is over with its trailers, whether or not its client gets them.
#[tokio::test]
async fn trailers_end_an_answer_and_leave_its_connection_as_it_should_be() {
    let reply = Reply::chunked(&[("trailer", "x-sum")])
        .then(Step::Chunk("data".into()))
        .then(Step::LastChunk(vec![("x-sum".to_owned(), "7".to_owned())]));
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    for more in ["", "te: trailers\r\n", ""] {
        let answer = client.exchange(format!("GET / HTTP/1.1\r\nhost: a\r\n{more}\r\n")).await;
        assert_eq!(answer.text(), "data");
    }
    assert_eq!(upstream.connection_count(), 1);
    let lines = eventually("the lines of the access log", DEADLINE, async || {
        let lines = sumun.stdout();
        if lines.matches("\"path\":\"/\"").count() == 3 { Ok(lines) } else { Err(lines) }
    })
    .await;
    assert!(!lines.contains("\"complete\":false"), "{lines}");
}

#[tokio::test]
async fn via_tells_the_version_that_was_spoken() {
    let (upstream, sumun) = plain().await;
    for version in ["1.0", "1.1"] {
        let request = format!("GET / HTTP/{version}\r\nhost: a\r\n\r\n");
        Client::connect(sumun.address()).await.exchange(request).await;
    }
    H2Client::connect(sumun.address()).await.get("/").await;
    let seen = upstream.requests();
    let versions: Vec<_> =
        seen.iter().filter_map(|seen| seen.header("via")?.split(' ').next()).collect();
    assert_eq!(versions, ["1.0", "1.1", "2"]);
}

/// RFC 9110 §10.1.4: it concerns one connection, and says so.
#[tokio::test]
async fn te_is_said_anew_for_the_next_connection() {
    let (upstream, sumun) = plain().await;
    for told in ["te, x-hop", "keep-alive"] {
        upstream.forget();
        let fields = [("te", "trailers, deflate"), ("connection", told), ("x-hop", "1")];
        sumun.call("GET", "/", &fields, b"").await;
        let seen = upstream.only_request();
        assert_eq!((seen.all("te"), seen.all("connection")), (vec!["trailers"], vec!["te"]));
    }
    upstream.forget();
    sumun.get("/").await;
    assert!(upstream.only_request().all("connection").is_empty());
}

#[tokio::test]
async fn an_http2_post_without_content_says_so_to_http1() {
    let (upstream, sumun) = plain().await;
    let client = H2Client::connect(sumun.address()).await;
    for (method, length) in [("POST", vec!["0"]), ("PUT", vec!["0"]), ("PATCH", vec!["0"])] {
        upstream.forget();
        client.call(method, "/", &[], b"", &[]).await.expect("an answer");
        assert_eq!(upstream.only_request().all("content-length"), length, "{method}");
    }
    for method in ["GET", "DELETE", "OPTIONS"] {
        upstream.forget();
        client.call(method, "/", &[], b"", &[]).await.expect("an answer");
        assert!(upstream.only_request().all("content-length").is_empty(), "{method}");
    }
}

#[tokio::test]
async fn fields_of_one_name_keep_their_order() {
    let (upstream, sumun) = plain().await;
    let mut client = Client::connect(sumun.address()).await;
    let request = "GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\r\ncookie: a=1\r\nX-A: 2\r\nx-b: 3\r\n\
                   cookie: b=2\r\nx-a: 3, 4\r\n\r\n";
    for _ in 0..4 {
        upstream.forget();
        assert_eq!(client.exchange(request).await.status, 200);
        let seen = upstream.only_request();
        assert_eq!(seen.all("x-a"), ["1", "2", "3, 4"]);
        assert_eq!(seen.all("cookie"), ["a=1", "b=2"], "HTTP/1.1 does not fold what came apart");
    }
    eventually("nothing is left", DEADLINE, async || match upstream.in_flight() {
        0 => Ok(()),
        left => Err(left),
    })
    .await;
}
