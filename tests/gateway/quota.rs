//! Quotas as in AWS Lambda: exact under concurrency, freed when the body ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use sumun_tests::{Client, DEADLINE, Gate, Load, Reply, Step, Sumun, Upstream};

use crate::policies;

const REQUEST: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// Opens `calls` connections with one call each; returns those that wait and the refused.
async fn crowd(sumun: &Sumun, path: &str, calls: usize) -> (Vec<Client>, usize) {
    let (mut waiting, mut refused) = (Vec::new(), 0);
    for _ in 0..calls {
        let mut client =
            Client::connect(sumun.address()).await.deadline(Duration::from_millis(150));
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        match client.response().await {
            Ok(answer) => {
                answer.problem(429, "quota_full");
                assert!(answer.header("retry-after").is_some(), "{answer}");
                refused += 1;
            }
            Err(_) => waiting.push(client.deadline(DEADLINE)),
        }
    }
    (waiting, refused)
}

#[tokio::test]
async fn a_reservation_is_a_limit_and_is_freed_when_the_call_ends() {
    let gate = Gate::closed();
    let behind = gate.clone();
    let upstream = Upstream::start(move |_| Reply::ok("x").behind(&behind)).await;
    let sumun = Sumun::start(&policies::function(&upstream.url(), "reserved: 3")).await;
    let (waiting, refused) = crowd(&sumun, "/", 10).await;
    assert_eq!((waiting.len(), refused), (3, 7));
    assert_eq!(upstream.in_flight_max(), 3);
    let view = sumun.admin_get("/api/v1/functions/fn").await;
    assert_eq!(
        (&view["reserved"], &view["in_use"], &view["throttled"]),
        (&3.into(), &3.into(), &7.into()),
        "{view}"
    );
    let metrics = sumun.metrics().await;
    assert!((metrics.sum("sumun_function_throttled_total{function=\"fn\"}") - 7.0).abs() < 0.1);
    gate.open();
    for mut client in waiting {
        assert_eq!(client.answer().await.status, 200);
    }
    sumun.idle(DEADLINE).await;
    assert_eq!(sumun.get("/").await.status, 200);
    let view = sumun.admin_get("/api/v1/functions/fn").await;
    assert_eq!((&view["in_use"], &view["peak"]), (&0.into(), &3.into()), "{view}");
}

#[tokio::test]
async fn a_slot_is_held_until_the_last_byte_of_the_body() {
    let gate = Gate::closed();
    let reply =
        Reply::promise(8).then(Step::Fill(4)).then(Step::Wait(gate.clone())).then(Step::Fill(4));
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let sumun = Sumun::start(&policies::function(&upstream.url(), "reserved: 1")).await;
    let mut client = Client::connect(sumun.address()).await;
    client.send(REQUEST).await;
    client.head().await.expect("a head");
    assert_eq!(client.take(4).await.expect("half"), b"xxxx");
    sumun.get("/").await.problem(429, "quota_full");
    gate.open();
    assert_eq!(client.take(4).await.expect("the rest"), b"xxxx");
    sumun.idle(DEADLINE).await;
    assert_eq!(sumun.get("/").await.status, 200);
}

#[tokio::test]
async fn a_reservation_of_zero_always_refuses() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::start(&policies::function(&upstream.url(), "reserved: 0")).await;
    for _ in 0..5 {
        sumun.get("/").await.problem(429, "quota_full");
    }
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn functions_without_reservation_share_what_is_left() {
    let gate = Gate::closed();
    let behind = gate.clone();
    let upstream = Upstream::start(move |_| Reply::ok("x").behind(&behind)).await;
    let policy = format!(
        "version: 1\n\
         pool: {{ total: 10, unreserved_min: 4 }}\n\
         upstreams:\n  up: {{ {} }}\n\
         functions:\n\
         \x20 big: {{ upstream: up, reserved: 6 }}\n\
         \x20 one: {{ upstream: up }}\n\
         \x20 two: {{ upstream: up }}\n\
         routes:\n\
         \x20 big: {{ match: {{ path: /big }}, function: big }}\n\
         \x20 one: {{ match: {{ path: /one }}, function: one }}\n\
         \x20 two: {{ match: {{ path: /two }}, function: two }}\n",
        policies::upstream(&upstream.url())
    );
    let sumun = Sumun::start(&policy).await;
    let (first, refused) = crowd(&sumun, "/one", 3).await;
    assert_eq!((first.len(), refused), (3, 0));
    let (second, refused) = crowd(&sumun, "/two", 5).await;
    assert_eq!((second.len(), refused), (1, 4), "four slots are unreserved");
    let (third, refused) = crowd(&sumun, "/big", 8).await;
    assert_eq!((third.len(), refused), (6, 2), "the reservation was never touched");
    assert_eq!(upstream.in_flight_max(), 10);
    gate.open();
    for mut client in first.into_iter().chain(second).chain(third) {
        assert_eq!(client.answer().await.status, 200);
    }
    sumun.idle(DEADLINE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_holds_exactly_under_churn() {
    let upstream = Upstream::start(|_| Reply::ok("x").after(Duration::from_millis(2))).await;
    let sumun = Sumun::start(&policies::function(&upstream.url(), "reserved: 5")).await;
    let tally = Load::get(sumun.address(), "/").connections(32).total(8_000).run().await;
    assert!(tally.broken.is_empty(), "{tally:?}");
    assert_eq!(tally.answers(), 8_000, "{tally:?}");
    assert_eq!(tally.count(200) + tally.count(429), 8_000, "{tally:?}");
    assert_eq!(upstream.in_flight_max(), 5, "the upstream itself counted");
    assert_eq!(upstream.request_count() as u64, tally.count(200));
    let metrics = sumun.metrics().await;
    let throttled = metrics.sum("sumun_function_throttled_total{function=\"fn\"}");
    assert_eq!(throttled as u64, tally.count(429));
    sumun.idle(DEADLINE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_herd_takes_every_slot_and_not_one_more() {
    for round in 0..5 {
        let gate = Gate::closed();
        let behind = gate.clone();
        let upstream = Upstream::start(move |_| Reply::ok("x").behind(&behind)).await;
        let sumun = Sumun::start(&policies::function(&upstream.url(), "reserved: 20")).await;
        let refused = Arc::new(AtomicUsize::new(0));
        let go = Arc::new(AtomicBool::new(false));
        let mut herd = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let (refused, go, address) = (Arc::clone(&refused), Arc::clone(&go), sumun.address());
            herd.spawn(async move {
                let mut client = Client::connect(address).await;
                while !go.load(Ordering::Relaxed) {
                    tokio::task::yield_now().await;
                }
                client.send(REQUEST).await;
                let answer = client.answer().await;
                refused.fetch_add(usize::from(answer.status == 429), Ordering::SeqCst);
                answer.status
            });
        }
        go.store(true, Ordering::Relaxed);
        sumun_tests::eventually("80 are refused", DEADLINE, async || {
            match refused.load(Ordering::SeqCst) {
                80.. => Ok(()),
                fewer => Err(fewer),
            }
        })
        .await;
        upstream.arrived(20).await;
        gate.open();
        let statuses = herd.join_all().await;
        let served = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!((served, upstream.in_flight_max()), (20, 20), "round {round}");
        sumun.idle(DEADLINE).await;
    }
}
