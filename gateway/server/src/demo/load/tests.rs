use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{CALLERS_MAX, FUNCTION_CALLERS, Load, Wave, Zipf, request, run};
use crate::demo::caller::Caller;
use crate::demo::serve::{self, Answer, Service, empty};
use crate::demo::tally::Tally;

/// A gateway that counts its calls, refuses mail, and answers all else.
#[derive(Default)]
struct Gateway {
    now: AtomicU32,
    peak: AtomicU32,
    reads: AtomicU32,
    mails: AtomicU32,
    items: AtomicU32,
    functions: AtomicU32,
}

impl Service for Gateway {
    async fn answer(&self, request: Request<Bytes>) -> Answer {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        let path = request.uri().path();
        let counter = match (request.method(), path.split('/').nth(1)) {
            (&Method::GET, Some("mail")) => &self.reads,
            (&Method::POST, Some("mail")) => &self.mails,
            (&Method::GET, Some("catalog")) => &self.items,
            (&Method::POST, Some("functions")) => &self.functions,
            _ => panic!("unexpected {} {path}", request.method()),
        };
        counter.fetch_add(1, Ordering::SeqCst);
        if path.starts_with("/mail/receive/") {
            let mut refusal = empty(StatusCode::TOO_MANY_REQUESTS);
            refusal.headers_mut().insert("retry-after", HeaderValue::from_static("1"));
            return refusal;
        }
        empty(StatusCode::OK)
    }
}

fn start(gateway: &Arc<Gateway>) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (address, tokio::spawn(serve::run(listener, gateway.clone())))
}

#[tokio::test]
async fn all_kinds_call_and_calls_in_flight_are_bounded() {
    let gateway = Arc::new(Gateway::default());
    let (address, served) = start(&gateway);
    let load = tokio::spawn(run(address, CancellationToken::new()));
    let deadline = Instant::now() + Duration::from_secs(30);
    let seen = |counter: &AtomicU32| counter.load(Ordering::SeqCst);
    while seen(&gateway.reads) < 30
        || seen(&gateway.items) < 60
        || seen(&gateway.mails) < 3
        || seen(&gateway.functions) < FUNCTION_CALLERS * super::BURST_CALLS
    {
        assert!(Instant::now() < deadline, "the load does not move");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    load.abort();
    served.abort();
    assert!(seen(&gateway.peak) <= CALLERS_MAX);
}

#[tokio::test]
async fn a_gateway_that_drains_is_called_no_more() {
    let gateway = Arc::new(Gateway::default());
    let (address, served) = start(&gateway);
    let quiet = CancellationToken::new();
    let load = tokio::spawn(run(address, quiet.clone()));
    let deadline = Instant::now() + Duration::from_secs(30);
    let calls = || gateway.reads.load(Ordering::SeqCst) + gateway.items.load(Ordering::SeqCst);
    while calls() < 30 {
        assert!(Instant::now() < deadline, "the load does not move");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    quiet.cancel();
    // Our own calls are the clock, as fast as the load's: first what was under way arrives, then the
    // load would have made dozens.
    let mut clock = Caller::new(address);
    let mut count = async |own: u32| {
        let before = calls();
        for _ in 0..own {
            clock.call(request(Method::GET, "/mail/read/1", 0)).await;
        }
        calls() - before
    };
    count(200).await;
    assert_eq!(count(500).await, 500, "somebody called after the end");
    load.abort();
    served.abort();
}

#[tokio::test]
async fn a_refused_sender_comes_back_no_sooner_than_it_may() {
    let gateway = Arc::new(Gateway::default());
    let (address, served) = start(&gateway);
    let flood = Wave {
        low_per_second: 100_000.0,
        high_per_second: 100_000.0,
        period: Duration::from_secs(1),
    };
    let load = Arc::new(Load {
        gateway: address,
        quiet: CancellationToken::new(),
        tally: Tally::default(),
        began: Instant::now(),
        mail: flood,
        items: Zipf::new(1),
    });
    // Refused once, each sender holds for a second, however much comes in.
    let mut senders = tokio::task::JoinSet::new();
    for number in 0..5 {
        senders.spawn(load.clone().send(number));
    }
    let deadline = load.began + Duration::from_secs(20);
    while gateway.mails.load(Ordering::SeqCst) <= 5 {
        assert!(Instant::now() < deadline, "the senders do not call");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let sixth = load.began.elapsed();
    assert!(sixth >= Duration::from_secs(1), "a sender came back after {sixth:?}");
    assert!(load.tally.counts() != Tally::default().counts());
    served.abort();
}

#[test]
fn requests_are_what_they_say() {
    let mail = request(Method::POST, "/mail/receive/account-1", 2_048);
    assert_eq!(mail.uri().path(), "/mail/receive/account-1");
    assert_eq!(mail.headers()["content-type"], "application/octet-stream");
    assert_eq!(http_body::Body::size_hint(mail.body()).exact(), Some(2_048));
    assert!(!request(Method::GET, "/mail/list/inbox", 0).headers().contains_key("content-type"));
}

#[test]
fn the_example_policies_have_a_route_for_every_call() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies");
    let files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    let (policy, problems) = sumun_policy::check(&files);
    assert!(problems.is_empty(), "{problems:?}");
    let policy = policy.unwrap();
    let here = crate::demo::DemoAddresses::default();
    for (upstream, addresses) in [
        ("mailbox", &here.mailbox[..]),
        ("catalog", &[here.catalog]),
        ("functions", &[here.functions]),
    ] {
        let written = policy.upstreams[upstream].endpoints.iter().map(ToString::to_string);
        let served: Vec<_> = addresses.iter().map(|address| format!("http://{address}")).collect();
        assert_eq!(written.collect::<Vec<_>>(), served, "{upstream}");
    }
    let now = sumun_engine::Moment::default();
    let snapshot = sumun_engine::Snapshot::compile(policy, 1, &sumun_engine::Live::new(), now);
    for (method, path, route) in [
        (Method::GET, "/mail/list/inbox-1", "mail-list"),
        (Method::GET, "/mail/read/7", "mail-read"),
        (Method::POST, "/mail/receive/account-1", "mail-receive"),
        (Method::POST, "/mail/reindex/inbox-0", "mail-reindex"),
        (Method::GET, "/catalog/items/7", "catalog"),
        (Method::GET, "/catalog/prices/7", "catalog-prices"),
        (Method::POST, "/functions/thumbnails", "thumbnails"),
        (Method::POST, "/functions/reports", "reports"),
        (Method::POST, "/functions/newsletter", "newsletter"),
    ] {
        let found = snapshot.find(&method, "127.0.0.1", path, &http::HeaderMap::new());
        let name = found.map(|found| snapshot.routes()[found.index].policy.name.as_str());
        assert_eq!(name, Some(route), "{method} {path}");
    }
}
