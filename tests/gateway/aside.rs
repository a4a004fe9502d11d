//! Calls that are exchanged in one piece beside the HTTP stack, on both sides: small ones, one after
//! the other on connections that are kept. Nobody can tell, and whatever needs more is served as ever.

use std::time::Duration;

use sumun_tests::{
    Client, DEADLINE, Gate, Recorded, Reply, Response, Step, Sumun, Upstream, eventually,
};

use crate::policies;

const PLAIN: &str = "GET /plain HTTP/1.1\r\nhost: a\r\n\r\n";
const ODD: &str = "GET /odd HTTP/1.1\r\nhost: a\r\n\r\n";

/// A gateway in front of an upstream that answers `/odd…` as told and everything else with its target;
/// and a connection on which the next call goes aside.
async fn warm(
    odd: impl Fn(&Recorded) -> Reply + Send + Sync + 'static,
) -> (Upstream, Sumun, Client) {
    let upstream = Upstream::start(move |request| {
        if request.target().starts_with("/odd") {
            odd(request)
        } else {
            Reply::ok(request.target())
        }
    })
    .await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    warm_up(&mut client).await;
    (upstream, sumun, client)
}

/// More than the calls that are not tried after one that was not whole.
async fn warm_up(client: &mut Client) {
    for _ in 0..12 {
        let answer = client.exchange(PLAIN).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "/plain"), "{answer}");
    }
}

/// What a client can tell of an answer.
fn told(answer: &Response) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let head = String::from_utf8_lossy(&answer.head.raw).into_owned();
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let fields = lines.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let mut fields: Vec<_> = fields.filter(|(name, _)| name != "date").collect();
    fields.sort();
    (answer.status, fields, answer.body.clone())
}

#[tokio::test]
async fn answers_of_every_kind_are_the_same_aside_and_through_the_stack() {
    let large = "y".repeat(9_000);
    let larger = "z".repeat(40_000);
    let odd = [
        Reply::ok(""),
        Reply::ok(&large),
        Reply::ok(&larger),
        Reply::with(404, &[("x-one", "1"), ("x-one", "2"), ("set-cookie", "a=b")], "not here"),
        Reply::with(200, &[("connection", "keep-alive"), ("keep-alive", "timeout=5")], "kept"),
        Reply::with(200, &[("connection", "close, x-own"), ("x-own", "1")], "last")
            .then(Step::Close),
        Reply::with(200, &[("connection", "x-own"), ("x-own", "1")], "named"),
        Reply::raw("HTTP/1.1 204 No Content\r\nx-one: 1\r\n\r\n"),
        Reply::raw("HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\ncontent-length: 70\r\n\r\n"),
        Reply::raw(
            "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        ),
        Reply::raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        Reply::chunked(&[("trailer", "x-sum")])
            .then(Step::Chunk("ab".into()))
            .then(Step::LastChunk(vec![("x-sum".into(), "1".into())])),
        Reply::raw("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nold").then(Step::Close),
        Reply::raw("HTTP/1.1 200 OK\r\n\r\nall there is").then(Step::Close),
        Reply::new().then(Step::Drip(
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nslow".into(),
            Duration::from_millis(1),
        )),
        Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc")
            .then(Step::Close),
        Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut").then(Step::Close),
    ];
    for (number, reply) in odd.into_iter().enumerate() {
        let scripted = reply.clone();
        let (upstream, sumun, mut client) = warm(move |_| scripted.clone()).await;
        client.send(ODD).await;
        let aside = client.response().await;
        // The first call of a connection is the stack's, and so are those with an upload.
        let mut other = Client::connect(sumun.address()).await;
        other.send("GET /odd HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nx").await;
        let through = other.response().await;
        match (&aside, &through) {
            (Ok(aside), Ok(through)) if aside.status != 502 => {
                assert_eq!(told(aside), told(through), "{number}");
            }
            (Ok(aside), Ok(through)) => assert_eq!(aside.status, through.status, "{number}"),
            (Err(_), Err(_)) => {}
            _ => panic!("{number}: {aside:?} aside, {through:?} through the stack"),
        }
        if aside.is_ok_and(|aside| aside.header("connection") != Some("close")) {
            warm_up(&mut client).await;
        }
        assert!(upstream.malformed().is_empty(), "{number}: {:?}", upstream.malformed());
    }
}

#[tokio::test]
async fn a_connection_that_ends_instead_of_an_answer_is_tried_anew_where_that_is_safe() {
    for (method, status, requests) in [("GET", 200, 2), ("POST", 502, 1)] {
        let ended = std::sync::atomic::AtomicBool::new(false);
        let (upstream, _sumun, mut client) = warm(move |_| {
            if ended.swap(true, std::sync::atomic::Ordering::Relaxed) {
                Reply::ok("again")
            } else {
                Reply::only(Step::Close)
            }
        })
        .await;
        upstream.forget();
        let request = format!("{method} /odd HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(client.exchange(request).await.status, status, "{method}");
        assert_eq!(upstream.request_count(), requests, "{method}");
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_while_it_idled_is_not_used() {
    let (upstream, _sumun, mut client) = warm(|_| Reply::ok("last").then(Step::Close)).await;
    for _ in 0..5 {
        assert_eq!(client.exchange(ODD).await.text(), "last");
        // Not repeated: it must find a connection that is there.
        let posted = "POST /plain HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n";
        eventually("the close is seen", DEADLINE, async || {
            let open = upstream.open_connections();
            if open == 0 { Ok(()) } else { Err(open) }
        })
        .await;
        assert_eq!(client.exchange(posted).await.status, 200);
    }
}

#[tokio::test]
async fn what_is_sent_behind_a_call_under_way_is_answered_in_its_turn() {
    let gate = Gate::closed();
    let opened = gate.clone();
    let (upstream, _sumun, mut client) = warm(move |_| Reply::ok("odd").behind(&opened)).await;
    upstream.forget();
    client.send(ODD).await;
    upstream.arrived(1).await;
    let (begin, end) = PLAIN.split_at(9);
    client.send([PLAIN, ODD, begin].concat()).await;
    gate.open();
    client.send([end, PLAIN].concat()).await;
    for text in ["odd", "/plain", "odd", "/plain", "/plain"] {
        assert_eq!(client.answer().await.text(), text);
    }
}

#[tokio::test]
async fn a_malformed_call_behind_one_under_way_is_refused_in_its_turn() {
    let gate = Gate::closed();
    let opened = gate.clone();
    let (upstream, _sumun, mut client) = warm(move |_| Reply::ok("odd").behind(&opened)).await;
    upstream.forget();
    client.send(ODD).await;
    upstream.arrived(1).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n").await;
    gate.open();
    assert_eq!(client.answer().await.text(), "odd");
    assert_eq!(client.answer().await.status, 400);
    assert!(client.rest().await.0.is_empty(), "nothing comes after it");
    assert_eq!(upstream.request_count(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_call() {
    let (upstream, sumun, mut client) = warm(|_| Reply::only(Step::Hang)).await;
    upstream.forget();
    client.send(ODD).await;
    upstream.arrived(1).await;
    drop(client);
    eventually("the upstream's connection is closed", DEADLINE, async || {
        let open = upstream.open_connections();
        if open == 0 { Ok(()) } else { Err(open) }
    })
    .await;
    sumun.idle(DEADLINE).await;
}

#[tokio::test]
async fn a_call_under_way_when_the_drain_begins_is_answered() {
    let gate = Gate::closed();
    let opened = gate.clone();
    let (upstream, mut sumun, mut client) = warm(move |_| Reply::ok("odd").behind(&opened)).await;
    upstream.forget();
    client.send(ODD).await;
    upstream.arrived(1).await;
    sumun.sigterm();
    eventually("no connection is accepted any more", DEADLINE, async || match Client::try_connect(
        sumun.address(),
    )
    .await
    {
        Ok(_) => Err("accepted"),
        Err(_) => Ok(()),
    })
    .await;
    gate.open();
    let answer = client.answer().await;
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("odd", Some("close")));
    assert!(sumun.wait_exit(DEADLINE).await.success());
}
