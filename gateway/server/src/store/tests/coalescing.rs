//! Identical misses share one call: across tasks and threads, through failures, and never for nothing.

#![allow(clippy::large_futures, reason = "a test's future may lie on the stack as a whole")]

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use super::kit::{Chunks, Kit, asked, headers, response};
use crate::store::{Cache, Errand, Outcome, Recalled};
use crate::telemetry::record::CacheResult;

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

/// How long a test waits for what must happen.
const DEADLINE: Duration = Duration::from_secs(20);

/// What one of many identical calls came to.
enum Came {
    /// An answer, and its body.
    Answer(CacheResult, String, String),
    /// To the origin.
    Origin(Box<Errand>),
    Unavailable,
}

impl Came {
    async fn of(recalled: Recalled) -> Self {
        match recalled {
            Recalled::Answer { response, outcome: Outcome { result, .. }, .. } => {
                let status = response.headers()["cache-status"].to_str().expect("ASCII");
                let status = status.to_owned();
                let body = response.into_body().collect().await.expect("whole").to_bytes();
                Self::Answer(result, String::from_utf8_lossy(&body).into_owned(), status)
            }
            Recalled::Forward(errand) => Self::Origin(Box::new(errand)),
            Recalled::Unavailable => Self::Unavailable,
        }
    }
}

fn call(kit: &Rc<Kit>, lines: &[(&str, &str)]) -> JoinHandle<Came> {
    let (kit, head) = (Rc::clone(kit), headers(lines));
    spawn_local(async move { Came::of(kit.recall(&Method::GET, "/", &head).await).await })
}

/// Waits until this many calls wait in flights.
async fn followers(cache: &Cache, count: usize) {
    until(|| cache.inner.flights.count().1 == count).await;
}

async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.expect("in time");
}

async fn joined(call: JoinHandle<Came>) -> Came {
    tokio::time::timeout(DEADLINE, call).await.expect("in time").expect("no panic")
}

async fn origin(call: JoinHandle<Came>) -> Box<Errand> {
    match joined(call).await {
        Came::Origin(errand) => errand,
        Came::Answer(..) | Came::Unavailable => panic!("expected to be sent to the origin"),
    }
}

async fn local<T>(test: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(test).await
}

#[tokio::test]
async fn a_thousand_identical_misses_are_one_call() {
    local(async {
        let kit = Rc::new(Kit::new());
        let lead = kit.errand("/", &[]).await;
        let herd: Vec<_> = (0..999).map(|_| call(&kit, &[])).collect();
        followers(&kit.cache, 999).await;
        let (response, _) = lead.remember(response(200, &[FRESH], "a"), kit.now()).await;
        drop(response);
        for call in herd {
            let Came::Answer(result, body, status) = joined(call).await else { panic!("alone") };
            assert_eq!((result, &*body), (CacheResult::Collapsed, "a"));
            assert_eq!(status, "sumun; fwd=uri-miss; collapsed");
        }
        assert_eq!(kit.cache.inner.flights.count(), (0, 0));
    })
    .await;
}

#[test]
fn a_thousand_identical_misses_on_four_threads_are_one_call() {
    let cache = Cache::new(16 << 20);
    let calls = Arc::new(AtomicUsize::new(0));
    let served = Arc::new(AtomicUsize::new(0));
    std::thread::scope(|threads| {
        for _ in 0..4 {
            let (cache, calls, served) = (cache.clone(), Arc::clone(&calls), Arc::clone(&served));
            threads.spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(local(async {
                    let kit = Rc::new(Kit { cache: cache.clone(), ..Kit::new() });
                    let herd: Vec<_> = (0..250).map(|_| call(&kit, &[])).collect();
                    for call in herd {
                        match joined(call).await {
                            Came::Origin(errand) => {
                                calls.fetch_add(1, Ordering::SeqCst);
                                // The answer comes when all others wait, on whichever thread.
                                let waiting = || cache.inner.flights.count().1 == 999;
                                until(waiting).await;
                                let origin = response(200, &[FRESH], "a");
                                drop(errand.remember(origin, kit.now()).await);
                            }
                            Came::Answer(_, body, _) => {
                                assert_eq!(body, "a");
                                served.fetch_add(1, Ordering::SeqCst);
                            }
                            Came::Unavailable => panic!("nobody asked for that"),
                        }
                    }
                }));
            });
        }
    });
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(served.load(Ordering::SeqCst), 999);
    assert_eq!(cache.inner.flights.count(), (0, 0));
}

#[tokio::test]
async fn a_herd_on_a_stale_answer_is_one_revalidation() {
    local(async {
        let kit = Rc::new(Kit::new());
        let stale = [("cache-control", "max-age=1"), ("etag", "\"1\"")];
        kit.get(&[], response(200, &stale, "a")).await;
        kit.pass(2);
        let lead = kit.errand("/", &[]).await;
        let herd: Vec<_> = (0..50).map(|_| call(&kit, &[])).collect();
        followers(&kit.cache, 50).await;
        drop(lead.remember(response(304, &[FRESH, ("etag", "\"1\"")], ""), kit.now()).await);
        for call in herd {
            let Came::Answer(result, body, status) = joined(call).await else { panic!("alone") };
            assert_eq!((result, &*body), (CacheResult::Collapsed, "a"));
            assert_eq!(status, "sumun; fwd=stale; collapsed");
        }
    })
    .await;
}

#[tokio::test]
async fn an_uncacheable_herd_is_released_at_the_head_and_the_next_does_not_wait() {
    local(async {
        let kit = Rc::new(Kit::new());
        let lead = kit.errand("/", &[]).await;
        let herd: Vec<_> = (0..50).map(|_| call(&kit, &[])).collect();
        followers(&kit.cache, 50).await;
        let private = [("cache-control", "private")];
        // The body has not been read, let alone ended.
        let (response, _) = lead.remember(response(200, &private, "a"), kit.now()).await;
        for call in herd {
            drop(origin(call).await);
        }
        let next: Vec<_> = (0..50).map(|_| call(&kit, &[])).collect();
        for call in next {
            drop(origin(call).await);
        }
        drop(response);
        // After a while one herd is willing to wait again.
        kit.pass(60);
        let lead = kit.errand("/", &[]).await;
        let follower = call(&kit, &[]);
        followers(&kit.cache, 1).await;
        drop(lead);
        drop(origin(follower).await);
    })
    .await;
}

#[tokio::test]
async fn a_storable_answer_ends_what_was_remembered() {
    local(async {
        let kit = Rc::new(Kit::new());
        kit.get(&[], response(200, &[("cache-control", "private")], "a")).await;
        kit.get(&[], response(200, &[("cache-control", "max-age=1")], "a")).await;
        kit.pass(2);
        let lead = kit.errand("/", &[]).await;
        let follower = call(&kit, &[]);
        followers(&kit.cache, 1).await;
        drop(lead.remember(response(200, &[FRESH], "b"), kit.now()).await);
        assert!(matches!(joined(follower).await, Came::Answer(..)));
    })
    .await;
}

#[tokio::test]
async fn a_passing_error_is_remembered_for_a_second_only() {
    local(async {
        let kit = Rc::new(Kit::new());
        kit.get(&[], response(503, &[], "")).await;
        let _alone = kit.errand("/", &[]).await;
        let _alone_too = origin(call(&kit, &[])).await;
        kit.pass(1);
        let lead = kit.errand("/", &[]).await;
        let follower = call(&kit, &[]);
        followers(&kit.cache, 1).await;
        drop(lead.remember(response(200, &[FRESH], "b"), kit.now()).await);
        assert!(matches!(joined(follower).await, Came::Answer(..)));
    })
    .await;
}

#[tokio::test]
async fn a_leader_that_dies_elects_the_next_and_fails_nobody() {
    local(async {
        let kit = Rc::new(Kit::new());
        let lead = kit.errand("/", &[]).await;
        let leaders = Rc::new(Cell::new(0));
        let herd: Vec<_> = (0..100)
            .map(|_| {
                let (kit, leaders) = (Rc::clone(&kit), Rc::clone(&leaders));
                spawn_local(async move {
                    match kit.recall(&Method::GET, "/", &HeaderMap::new()).await {
                        Recalled::Forward(errand) => {
                            leaders.set(leaders.get() + 1);
                            // The first ten are refused, fail or go away; the next has an answer.
                            if leaders.get() > 10 {
                                let origin = response(200, &[FRESH], "a");
                                drop(errand.remember(origin, kit.now()).await);
                            }
                            false
                        }
                        Recalled::Answer { .. } => true,
                        Recalled::Unavailable => panic!("nobody asked for that"),
                    }
                })
            })
            .collect();
        followers(&kit.cache, 100).await;
        drop(lead);
        let mut served = 0;
        for call in herd {
            let call = tokio::time::timeout(DEADLINE, call).await.expect("in time");
            served += usize::from(call.expect("no panic"));
        }
        assert_eq!((leaders.get(), served), (11, 89));
        assert_eq!(kit.cache.inner.flights.count(), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_body_that_fails_or_is_dropped_elects_the_next() {
    Box::pin(local(async {
        for fails in [true, false] {
            let kit = Rc::new(Kit::new());
            let lead = kit.errand("/", &[]).await;
            let follower = call(&kit, &[]);
            followers(&kit.cache, 1).await;
            let chunks = Chunks::of(&["a"]);
            let body = if fails { chunks.then_fails() } else { chunks.ends_open() };
            let mut cut = http::Response::new(body.body());
            *cut.headers_mut() = headers(&[FRESH]);
            let (cut, _) = lead.remember(cut, kit.now()).await;
            let mut body = cut.into_body();
            assert!(body.frame().await.is_some());
            assert!(!follower.is_finished());
            if fails {
                assert!(body.frame().await.expect("a failure").is_err());
            } else {
                drop(body);
            }
            let errand = origin(follower).await;
            drop(errand.remember(response(200, &[FRESH], "b"), kit.now()).await);
            assert_eq!(kit.hit(&[]).await.body, "b");
        }
    }))
    .await;
}

#[tokio::test]
async fn a_follower_that_leaves_just_when_it_is_called_passes_the_call_on() {
    local(async {
        let kit = Rc::new(Kit::new());
        let lead = kit.errand("/", &[]).await;
        let first = call(&kit, &[]);
        followers(&kit.cache, 1).await;
        let second = call(&kit, &[]);
        followers(&kit.cache, 2).await;
        // The first has been called when it goes, and has not run since.
        drop(lead);
        first.abort();
        drop(origin(second).await);
        until(|| kit.cache.inner.flights.count() == (0, 0)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_follower_waits_ten_seconds_and_goes_on_its_own() {
    local(async {
        let kit = Rc::new(Kit::new());
        let _lead = kit.errand("/", &[]).await;
        let began = tokio::time::Instant::now();
        let follower = call(&kit, &[]);
        let Came::Origin(_errand) = follower.await.expect("no panic") else { panic!("served") };
        assert_eq!(began.elapsed().as_secs(), 10);
    })
    .await;
}

#[tokio::test]
async fn followers_of_another_variant_go_their_own_way_at_the_head() {
    local(async {
        let kit = Rc::new(Kit::new());
        let lead = kit.errand("/", &[("accept", "a")]).await;
        let same = call(&kit, &[("accept", "a")]);
        let others: Vec<_> = (0..10).map(|_| call(&kit, &[("accept", "b")])).collect();
        followers(&kit.cache, 11).await;
        let vary = [FRESH, ("vary", "accept")];
        let mut origin = http::Response::new(Chunks::of(&["for a"]).body());
        *origin.headers_mut() = headers(&vary);
        let (answer, _) = lead.remember(origin, kit.now()).await;
        // Of the others one leads a flight of its own, in which nine wait; the first body still flows.
        until(|| kit.cache.inner.flights.count() == (2, 10)).await;
        answer.into_body().collect().await.expect("whole");
        let Came::Answer(_, body, _) = joined(same).await else { panic!("alone") };
        assert_eq!(body, "for a");
        let mut served = 0;
        for call in others {
            match joined(call).await {
                Came::Origin(errand) => {
                    drop(errand.remember(response(200, &vary, "for b"), kit.now()).await);
                }
                Came::Answer(_, body, _) => {
                    assert_eq!(body, "for b");
                    served += 1;
                }
                Came::Unavailable => panic!("nobody asked for that"),
            }
        }
        assert_eq!(served, 9);
    })
    .await;
}

#[tokio::test]
async fn an_authorised_call_waits_for_no_anonymous_one() {
    local(async {
        let kit = Rc::new(Kit::new());
        let _lead = kit.errand("/", &[]).await;
        drop(origin(call(&kit, &[("authorization", "Basic eA==")])).await);
    })
    .await;
}

#[tokio::test]
async fn a_call_that_wants_a_new_answer_waits_for_nobody() {
    local(async {
        let kit = Rc::new(Kit::new());
        kit.get(&[], response(200, &[FRESH], "a")).await;
        let _first = kit.errand("/", &[("cache-control", "no-cache")]).await;
        drop(origin(call(&kit, &[("cache-control", "no-cache")])).await);
        kit.hit(&[]).await;
    })
    .await;
}

#[tokio::test]
async fn one_callers_no_store_does_not_end_coalescing_for_others() {
    local(async {
        let kit = Rc::new(Kit::new());
        kit.get(&[("cache-control", "no-store")], response(200, &[FRESH], "a")).await;
        let lead = kit.errand("/", &[]).await;
        let follower = call(&kit, &[]);
        followers(&kit.cache, 1).await;
        drop(lead.remember(response(200, &[FRESH], "b"), kit.now()).await);
        assert!(matches!(joined(follower).await, Came::Answer(..)));
    })
    .await;
}

#[tokio::test]
async fn a_call_that_is_dropped_while_it_waits_leaves_nothing_behind() {
    local(async {
        let kit = Rc::new(Kit::new());
        let lead = kit.errand("/", &[]).await;
        {
            let head = HeaderMap::new();
            let asked = asked(&Method::GET, "/", &head);
            let waiting = kit.cache.recall(&asked, &kit.rules, &kit.route, kit.now());
            let short = tokio::time::timeout(Duration::from_millis(1), waiting).await;
            assert!(short.is_err());
        }
        assert_eq!(kit.cache.inner.flights.count(), (1, 0));
        drop(lead);
        assert_eq!(kit.cache.inner.flights.count(), (0, 0));
    })
    .await;
}

#[test]
fn calls_that_come_as_the_answer_lands_do_not_ask_again() {
    // Without gates: whatever the order of looking, landing and boarding, one call goes out.
    for _ in 0..50 {
        let cache = Cache::new(16 << 20);
        let calls = Arc::new(AtomicUsize::new(0));
        std::thread::scope(|threads| {
            for _ in 0..4 {
                let (cache, calls) = (cache.clone(), Arc::clone(&calls));
                threads.spawn(move || {
                    let runtime =
                        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(async {
                        let kit = Kit { cache, ..Kit::new() };
                        for _ in 0..50 {
                            let got = kit.get(&[], response(200, &[FRESH], "a")).await;
                            assert_eq!(got.body, "a");
                            calls.fetch_add(usize::from(!got.is_from_store()), Ordering::SeqCst);
                        }
                    });
                });
            }
        });
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}
