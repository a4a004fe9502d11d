//! Hostile bytes: whatever a client sends, the upstream sees whole, unambiguous requests or none.
//!
//! The tests `point_…` follow the list of what a proxy has to add to its HTTP library. Each looks
//! at the bytes the upstream got. `corpora` goes through every line of `tests/data`.

use std::time::Duration;

use sumun_tests::wire::find;
use sumun_tests::{Broken, Client, Reply, Sumun, Upstream};

use crate::policies;

/// A gateway in front of an upstream that answers `ok`.
pub struct Fixture {
    pub upstream: Upstream,
    pub sumun: Sumun,
}

/// What came of some bytes.
pub struct Outcome {
    /// Everything the gateway sent back.
    pub bytes: Vec<u8>,
    /// How the connection ended; `Late` where it stayed open.
    pub end: Broken,
}

// === impl Fixture ===

impl Fixture {
    pub async fn start() -> Self {
        let upstream = Upstream::plain().await;
        let sumun = Sumun::start(&policies::to(&upstream.url())).await;
        Self { upstream, sumun }
    }

    /// Sends the bytes on a connection of their own and reads until it ends.
    pub async fn send(&self, bytes: impl AsRef<[u8]>) -> Outcome {
        let client = Client::connect(self.sumun.address()).await;
        let mut client = client.deadline(Duration::from_secs(5));
        client.send(bytes).await;
        let (bytes, end) = client.rest().await;
        Outcome { bytes, end }
    }

    /// Asserts that the bytes are refused with one of `statuses`, that the connection is closed
    /// after it, and that the upstream got not one byte.
    async fn refuses(&self, bytes: impl AsRef<[u8]>, statuses: &[u16]) {
        let bytes = bytes.as_ref();
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
        self.upstream.forget();
        let outcome = self.send(bytes).await;
        let got = outcome.statuses();
        assert!(
            got.len() == 1 && statuses.contains(&got[0]),
            "{statuses:?} expected for {shown:?}, got {got:?} ({:?}):\n{}",
            outcome.end,
            String::from_utf8_lossy(&outcome.bytes)
        );
        assert_ne!(outcome.end, Broken::Late, "the connection is closed after {shown:?}");
        self.untouched(&shown);
    }

    /// Asserts that the upstream got nothing since it last forgot.
    fn untouched(&self, why: &str) {
        let seen = self.upstream.all_bytes();
        assert!(seen.is_empty(), "{why:?} reached upstream: {:?}", String::from_utf8_lossy(&seen));
    }

    /// Asserts that all is well for the next one.
    pub async fn serves(&self) {
        assert_eq!(self.sumun.get("/well").await.status, 200);
        assert!(self.upstream.malformed().is_empty(), "{:?}", self.upstream.malformed());
    }
}

// === impl Outcome ===

impl Outcome {
    /// The status of each answer that begins in the bytes, but 100.
    pub fn statuses(&self) -> Vec<u16> {
        let mut statuses = Vec::new();
        let mut rest = self.bytes.as_slice();
        while let Some(at) = find(rest, b"HTTP/1.1 ") {
            rest = &rest[at + 9..];
            let digits = rest.get(..3).map(|digits| String::from_utf8_lossy(digits).into_owned());
            statuses.extend(digits.and_then(|digits| digits.parse::<u16>().ok()));
        }
        statuses.retain(|status| *status >= 200);
        statuses
    }
}

#[tokio::test]
async fn point_01_host_is_exactly_one_and_valid() {
    let fixture = Fixture::start().await;
    let hosts = [
        "",
        "host: a\r\nhost: a\r\n",
        "host: a\r\nHost: b\r\n",
        "host: a/b\r\n",
        "host: a b\r\n",
        "host: user@a\r\n",
        "host: a, b\r\n",
        "host: a:b\r\n",
        "host: a:99999\r\n",
        "host: [::1\r\n",
        "host: a?b\r\n",
        "host: a#b\r\n",
        "host: a\\b\r\n",
    ];
    for host in hosts {
        fixture.refuses(format!("GET / HTTP/1.1\r\n{host}\r\n"), &[400]).await;
    }
    fixture.refuses("GET /\r\n", &[400]).await;
    fixture.serves().await;
}

#[tokio::test]
async fn point_01_absolute_form_wins_and_host_is_rewritten_to_match() {
    let fixture = Fixture::start().await;
    let request = "GET http://Real.test:8080/p?q HTTP/1.1\r\nhost: fake.test\r\n\
                   connection: close\r\n\r\n";
    let outcome = fixture.send(request).await;
    assert_eq!(outcome.statuses(), [200]);
    let seen = fixture.upstream.only_request();
    assert_eq!(seen.target(), "/p?q");
    assert_eq!(seen.all("host").len(), 1);
    assert_eq!(seen.header("host").map(str::to_lowercase).as_deref(), Some("real.test:8080"));
    let bytes = String::from_utf8_lossy(&fixture.upstream.bytes_of(0)).into_owned();
    assert!(!bytes.contains("fake"), "{bytes}");
}

#[tokio::test]
async fn point_02_connect_and_trace_are_refused() {
    let fixture = Fixture::start().await;
    for request in [
        "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\nconnection: close\r\n\r\n",
        "TRACE / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    ] {
        fixture.refuses(request, &[400, 405, 501]).await;
    }
    fixture.serves().await;
}

#[tokio::test]
async fn point_03_framing_is_unambiguous_or_refused() {
    let fixture = Fixture::start().await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    let codings = [
        "chunked, chunked",
        ", chunked",
        "xchunked",
        "chunked, identity",
        "identity",
        "gzip, chunked",
        "\x0bchunked",
        "chunked\r\ntransfer-encoding: chunked",
        "chunked\r\ncontent-length: 3",
    ];
    for coding in codings {
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: {coding}\r\n\r\n");
        fixture.refuses(format!("{head}0\r\n\r\n{smuggled}"), &[400, 501]).await;
    }
    let old = "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    fixture.refuses(format!("{old}{smuggled}"), &[400]).await;
    for length in [
        "+3",
        "-3",
        "3, 3",
        "3,3",
        "0x3",
        "3 3",
        "",
        "3\r\ncontent-length: 3",
        "1e3",
        "99999999999999999999999",
    ] {
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
        fixture.refuses(format!("{head}abc{smuggled}"), &[400, 413]).await;
    }
    fixture.serves().await;
}

#[tokio::test]
async fn point_03_a_broken_chunk_never_becomes_a_whole_request() {
    let fixture = Fixture::start().await;
    let head = "POST /chunks HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let bodies = [
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "g\r\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        " 3\r\nabc\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "3;\0\r\nabc\r\n0\r\n\r\n",
        "3;a\rb\r\nabc\r\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "\r\nabc\r\n0\r\n\r\n",
        "0\r\nbad name: x\r\n\r\n",
        "0\r\nno colon\r\n\r\n",
    ];
    for body in bodies {
        fixture.upstream.forget();
        let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
        let outcome = fixture.send(format!("{head}{body}{smuggled}")).await;
        let statuses = outcome.statuses();
        assert!(matches!(statuses[..], [400] | []), "{body:?}: {statuses:?}");
        assert_ne!(outcome.end, Broken::Late, "{body:?} ends the connection");
        for seen in fixture.upstream.requests() {
            assert!(!seen.complete && seen.target() == "/chunks", "{body:?} went up: {seen:?}");
        }
        let bytes = String::from_utf8_lossy(&fixture.upstream.all_bytes()).into_owned();
        assert!(!bytes.contains("smuggled"), "{body:?}:\n{bytes}");
    }
}

#[tokio::test]
async fn point_03_lines_are_well_formed_or_refused() {
    let fixture = Fixture::start().await;
    let requests = [
        "GET / HTTP/1.1\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: b\0c\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: b\rc\r\n\r\n",
        "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n: empty\r\n\r\n",
        "GET / HTTP/1.1\r\n host: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx y: b\r\n\r\n",
        "GET  / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nhost: a\r\n\r\n",
        "GET / HTTP/11\r\nhost: a\r\n\r\n",
        "GET / http/1.1\r\nhost: a\r\n\r\n",
        "G@T / HTTP/1.1\r\nhost: a\r\n\r\n",
    ];
    for request in requests {
        fixture.refuses(request, &[400, 505]).await;
    }
    fixture.serves().await;
}

#[tokio::test]
async fn point_03_trailers_never_become_headers() {
    let fixture = Fixture::start().await;
    let request = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\
                   te: trailers\r\ntrailer: x-good\r\n\r\n1\r\nz\r\n0\r\nx-good: 1\r\n\
                   content-length: 9\r\nhost: evil\r\nauthorization: evil\r\ncookie: evil\r\n\
                   x-forwarded-for: evil\r\ntransfer-encoding: evil\r\n\r\n";
    let outcome = fixture.send(request).await;
    // Either refused as a whole, or stripped: never passed on.
    let bytes = String::from_utf8_lossy(&fixture.upstream.all_bytes()).to_lowercase();
    assert!(!bytes.contains("evil") && !bytes.contains("content-length: 9"), "{bytes}");
    assert!(matches!(outcome.statuses()[..], [200 | 400]), "{:?}", outcome.statuses());
    for seen in fixture.upstream.requests() {
        assert!(seen.header("x-good").is_none(), "{seen:?}");
    }
}

#[tokio::test]
async fn point_04_hop_by_hop_headers_are_removed_both_ways() {
    let back = [
        ("connection", "x-hop-back"),
        ("x-hop-back", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-authenticate", "Basic"),
        ("x-end-back", "1"),
    ];
    let upstream = Upstream::start(move |_| Reply::with(200, &back, "ok")).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let there = [
        ("connection", "x-hop, te, via, x-forwarded-for, host"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("te", "gzip"),
        ("proxy-connection", "keep-alive"),
        ("proxy-authorization", "Basic x"),
        ("proxy", "http://evil.test"),
        ("upgrade", "x"),
        ("x-end", "1"),
    ];
    let answer = sumun.call("GET", "/", &there, b"").await;
    let seen = upstream.only_request();
    for gone in
        ["x-hop", "keep-alive", "proxy-connection", "proxy-authorization", "proxy", "upgrade"]
    {
        assert!(seen.all(gone).is_empty(), "{gone} went upstream: {:?}", seen.head.headers);
    }
    assert!(!seen.all("te").contains(&"gzip"), "{:?}", seen.head.headers);
    // Naming our own headers in Connection must not take them away: they come after.
    for kept in ["x-end", "via", "x-forwarded-for", "host"] {
        assert_eq!(seen.all(kept).len(), 1, "{kept}: {:?}", seen.head.headers);
    }
    for gone in ["x-hop-back", "keep-alive", "proxy-authenticate"] {
        assert!(answer.all(gone).is_empty(), "{gone} came back: {answer}");
    }
    assert_eq!(answer.header("x-end-back"), Some("1"));
}

#[tokio::test]
async fn point_04_names_with_underscore_are_refused() {
    let fixture = Fixture::start().await;
    for name in ["x_forwarded_for", "content_length", "_", "a_b"] {
        fixture.refuses(format!("GET / HTTP/1.1\r\nhost: a\r\n{name}: 1\r\n\r\n"), &[400]).await;
    }
    fixture.serves().await;
}

#[tokio::test]
async fn point_05_the_forwarded_family_is_rebuilt_as_a_whole() {
    let fixture = Fixture::start().await;
    let request = "GET / HTTP/1.1\r\nhost: a\r\nX-Forwarded-For: evil\r\nx-forwarded-for: evil\r\n\
                   X-FORWARDED-PROTO: evil\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: evil\r\n\
                   X-Forwarded-Prefix: evil\r\nForwarded: for=evil\r\nX-Real-IP: evil\r\n\
                   connection: close\r\n\r\n";
    assert_eq!(fixture.send(request).await.statuses(), [200]);
    let bytes = String::from_utf8_lossy(&fixture.upstream.bytes_of(0)).to_lowercase();
    assert!(!bytes.contains("evil"), "{bytes}");
    assert_eq!(fixture.upstream.only_request().all("x-forwarded-for"), ["127.0.0.1"]);
}

#[tokio::test]
async fn point_06_ambiguous_paths_are_refused() {
    let fixture = Fixture::start().await;
    let paths = [
        "/a/%2e%2e/b",
        "/a/%2E./b",
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a\\b",
        "/a%00b",
        "/..;/b",
        "/a/..;x=1/b",
        "/a/%c0%ae%c0%ae/b",
        "/a#b",
        "/\u{e9}",
        "/a/%",
        "/a/%zz",
    ];
    for path in paths {
        fixture.refuses(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"), &[400]).await;
    }
    fixture.serves().await;
}

#[tokio::test]
async fn point_06_dot_segments_are_removed_before_matching_and_forwarding() {
    let (open, closed) = (Upstream::plain().await, Upstream::plain().await);
    let policy = format!(
        "version: 1\n\
         upstreams:\n  open: {{ endpoints: [\"{}\"] }}\n  closed: {{ endpoints: [\"{}\"] }}\n\
         routes:\n\
         \x20 open: {{ match: {{ path: /open/** }}, upstream: open }}\n\
         \x20 closed: {{ match: {{ path: /closed/** }}, upstream: closed }}\n",
        open.url(),
        closed.url()
    );
    let sumun = Sumun::start(&policy).await;
    for path in ["/open/../closed/x", "/open/./../closed/x", "/closed/y/../x", "/../closed/x"] {
        assert_eq!(sumun.get(path).await.status, 200, "{path}");
    }
    assert!(open.requests().is_empty(), "{:?}", open.requests());
    for seen in closed.requests() {
        assert_eq!(seen.target(), "/closed/x", "what is matched is what is forwarded");
    }
    assert_eq!(closed.request_count(), 4);
}

#[tokio::test]
async fn point_06_a_route_can_opt_out() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::start(&policies::to_with(&upstream.url(), "strict_path: false")).await;
    assert_eq!(sumun.get("/a%2Fb").await.status, 200);
    assert_eq!(upstream.only_request().target(), "/a%2Fb");
}

#[tokio::test]
async fn point_10_an_unread_body_never_becomes_the_next_request() {
    // Refused before its body is read: no route. The body looks like a request.
    let upstream = Upstream::plain().await;
    let policy = policies::to(&upstream.url()).replace("/**", "/known/**");
    let sumun = Sumun::start(&policy).await;
    let smuggled = "GET /known/smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    for times in [1, 10_000] {
        let body = smuggled.repeat(times);
        let head = format!("POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len());
        let client = Client::connect(sumun.address()).await;
        let mut client = client.deadline(Duration::from_secs(5));
        client.send(head).await;
        client.answer().await.problem(404, "route_unknown");
        client.send(&body).await;
        client.send("GET /known/next HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        // Drained, so that the next is served, or closed.
        let (bytes, end) = client.rest().await;
        assert_ne!(end, Broken::Late);
        let answered = Outcome { bytes, end }.statuses();
        assert!(matches!(answered[..], [] | [200]), "{times}: {answered:?}");
        let bytes = String::from_utf8_lossy(&upstream.all_bytes()).into_owned();
        assert!(!bytes.contains("smuggled"), "{bytes}");
    }
}

#[tokio::test]
async fn point_11_malformed_answers_are_502_and_their_connection_is_dropped() {
    let cases = [
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\x01b\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx y: b\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    ];
    let upstream = Upstream::start(move |request| {
        match request.target().strip_prefix("/case/").and_then(|n| n.parse::<usize>().ok()) {
            Some(case) => Reply::raw(cases[case]),
            None => Reply::ok("ok"),
        }
    })
    .await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    for (case, bytes) in cases.iter().enumerate() {
        let answer = sumun.call("POST", &format!("/case/{case}"), &[], b"x").await;
        assert_eq!(answer.status, 502, "{bytes:?}: {answer}");
        answer.own(502);
        assert_eq!(sumun.get("/well").await.status, 200, "after {bytes:?}");
    }
    let requests = upstream.requests();
    for pair in requests.windows(2) {
        let broken = pair[0].target().starts_with("/case/");
        assert!(!broken || pair[1].connection != pair[0].connection, "used again: {pair:#?}");
    }
    assert_eq!(upstream.request_count(), cases.len() * 2, "a POST is never sent twice");
}
