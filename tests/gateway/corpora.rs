//! Every line of the corpora in `tests/data`, against the whole gateway: hostile requests and
//! answers are refused, valid ones pass.

use std::time::Duration;

use sumun_tests::wire::find;
use sumun_tests::{Broken, Client, Reply, Step, Sumun, Upstream};

use crate::framing::{Fixture, Outcome};
use crate::policies;

#[path = "../data/corpus.rs"]
mod corpus;

/// Well-formed, but refused for another reason: the path, no route. CONNECT and TRACE are, too.
const REFUSED: [&str; 2] = ["odd-targets", "asterisk-form"];

/// Hostile to an HTTP/1.1 parser, but this listener speaks HTTP/2 by prior knowledge, too.
const UNDERSTOOD: [&str; 1] = ["http2-preface"];

/// Calls on a connection, so many that the next one is tried beside the HTTP stack on both sides.
async fn warm_up(client: &mut Client) {
    for _ in 0..12 {
        let answer = client.exchange("GET /well HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(answer.status, 200, "{answer}");
    }
}

/// Sends the bytes behind small calls.
async fn send_warm(fixture: &Fixture, bytes: &[u8]) -> Outcome {
    let mut client = Client::connect(fixture.sumun.address()).await;
    warm_up(&mut client).await;
    fixture.upstream.forget();
    let mut client = client.deadline(Duration::from_secs(5));
    client.send(bytes).await;
    let (bytes, end) = client.rest().await;
    Outcome { bytes, end }
}

#[tokio::test]
async fn every_hostile_request_of_the_corpus_is_refused() {
    let fixture = Fixture::start().await;
    refuses_hostile(&fixture, async |bytes: &[u8]| fixture.send(bytes).await).await;
}

#[tokio::test]
async fn every_hostile_request_of_the_corpus_is_refused_behind_small_calls() {
    let fixture = Fixture::start().await;
    refuses_hostile(&fixture, async |bytes: &[u8]| send_warm(&fixture, bytes).await).await;
}

async fn refuses_hostile(fixture: &Fixture, send: impl AsyncFn(&[u8]) -> Outcome) {
    let mut wrong = Vec::new();
    let mut cases = corpus::hostile_requests();
    cases.retain(|case| !UNDERSTOOD.contains(&case.name));
    for case in cases {
        fixture.upstream.forget();
        let outcome = send(&case.bytes).await;
        let last = outcome.statuses().last().copied();
        let expected: u16 = case.word.parse().expect("a status");
        let whole_requests = fixture.upstream.requests();
        // Each whole request upstream is one before the broken one, and was answered 200.
        let whole = whole_requests.iter().filter(|request| request.complete).count();
        let served = outcome.statuses().iter().filter(|status| **status == 200).count();
        let smuggled = whole != served || !fixture.upstream.malformed().is_empty();
        // A trailer section that is too large breaks a body: 400, or the end of the connection.
        let refused = match last {
            Some(400) if case.name.starts_with("trailer-") => true,
            Some(status) => status == expected,
            None => outcome.end != Broken::Late,
        };
        if smuggled || !refused || outcome.end == Broken::Late {
            let statuses = outcome.statuses();
            wrong.push(format!(
                "{} ({} {}): {statuses:?} {:?}, upstream {:?} {:?}",
                case.name,
                case.word,
                case.code,
                outcome.end,
                whole_requests.iter().map(|r| r.head.start_line.clone()).collect::<Vec<_>>(),
                fixture.upstream.malformed(),
            ));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    fixture.serves().await;
}

#[tokio::test]
async fn every_hostile_answer_of_the_corpus_is_a_502_or_a_cut() {
    let cases = corpus::hostile_responses();
    let replies: Vec<Vec<u8>> = cases.iter().map(|case| case.bytes.clone()).collect();
    let upstream = Upstream::start(move |request| {
        match request.target().strip_prefix("/case/").and_then(|n| n.parse::<usize>().ok()) {
            Some(case) => Reply::raw(replies[case].clone()).then(Step::Close),
            None => Reply::ok("ok"),
        }
    })
    .await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let mut wrong = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        for warm in [false, true] {
            let client = Client::connect(sumun.address()).await;
            let mut client = client.deadline(Duration::from_secs(8));
            if warm {
                warm_up(&mut client).await;
            }
            let (method, name) = (case.word, case.name);
            client.send(format!("{method} /case/{index} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
            match client.response_to(method).await {
                Ok(answer) if answer.status == 502 => {}
                // Once the head had gone, the body is cut, never ended in order.
                Err(Broken::Cut | Broken::Reset | Broken::Closed) => {}
                other => wrong.push(format!("{name} ({}) {warm}: {other:?}", case.code)),
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(sumun.get("/well").await.status, 200);
}

#[tokio::test]
async fn every_valid_answer_of_the_corpus_passes() {
    let mut cases = corpus::valid_responses();
    // The rest never end, or answer an upgrade that was not asked for here; one has more fields than
    // the gateway takes of an answer.
    cases.retain(|case| case.code == "reusable" && case.name != "most-headers");
    let replies: Vec<Vec<u8>> = cases.iter().map(|case| case.bytes.clone()).collect();
    let upstream = Upstream::start(move |request| {
        let case: usize = request.target()[6..].parse().expect("a case");
        Reply::raw(replies[case].clone())
    })
    .await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    for (index, case) in cases.iter().enumerate() {
        let answer = sumun.call(case.word, &format!("/case/{index}"), &[], b"").await;
        let expected = find(&case.bytes, format!(" {} ", answer.status).as_bytes());
        assert!(expected.is_some() && answer.status != 502, "{}: {answer}", case.name);
    }
}

#[tokio::test]
async fn an_answer_has_a_hundred_fields_at_most() {
    let upstream = Upstream::start(move |request| {
        let more: usize = request.target()[1..].parse().expect("a number");
        let fields = "x: a\r\n".repeat(more);
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n{fields}\r\nok");
        Reply::raw(answer.into_bytes())
    })
    .await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    assert_eq!(sumun.get("/99").await.status, 200);
    sumun.get("/100").await.problem(502, "upstream_reset");
}

#[tokio::test]
async fn every_valid_request_of_the_corpus_is_answered() {
    let fixture = Fixture::start().await;
    let mut cases = corpus::valid_requests();
    cases.retain(|case| {
        case.code == "boundary"
            && !REFUSED.contains(&case.name)
            && !["connect", "trace"].iter().any(|method| case.name.starts_with(method))
    });
    for (case, warm) in cases.iter().flat_map(|case| [(case, false), (case, true)]) {
        let mut client = Client::connect(fixture.sumun.address()).await;
        if warm {
            warm_up(&mut client).await;
        }
        client.send(&case.bytes).await;
        let heads: usize = case.word.parse().expect("a number");
        for nth in 0..heads {
            let answer = client.response().await;
            let answer = answer.unwrap_or_else(|why| panic!("{} {nth} {warm}: {why:?}", case.name));
            assert_eq!(answer.status, 200, "{} {nth} {warm}: {answer}", case.name);
        }
    }
    assert!(fixture.upstream.malformed().is_empty(), "{:?}", fixture.upstream.malformed());
}
