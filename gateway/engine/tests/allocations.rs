//! Matching, deciding and choosing an endpoint allocate nothing. Counted for this thread by an
//! allocator of our own, hence a binary of its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sumun_engine::{Ask, Live, Moment, Snapshot};
use sumun_policy::policy::{
    Admission, Class, Endpoint, Function, HostPattern, Hysteresis, Match, Mode, OnStale, Origin,
    PathPattern, Per, Protocol, Route, Rps, Segment, Target, Timeout, Upstream, Workers,
};
use sumun_policy::units::{Name, Percent};
use sumun_policy::{Policy, policy};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: hands everything to the system's allocator; counting touches no memory of the caller.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a valid name")
}

fn origin() -> Origin {
    Origin { file: Arc::from("test.yaml"), line: 1 }
}

/// `*.example.internal` with `/tenant/N/*` for a hundred tenants, each through a function.
fn written(mode: Mode) -> Policy {
    let endpoint = |port| Endpoint { tls: false, host: "127.0.0.1".into(), port };
    let upstream = Upstream {
        name: name("u"),
        origin: origin(),
        endpoints: (1..5).map(endpoint).collect(),
        protocol: Protocol::Auto,
        timeout: Timeout::default(),
        signals: None,
        workers_max: Some(5),
    };
    let function =
        Function { name: name("f"), origin: origin(), upstream: name("u"), reserved: Some(100) };
    let share = |share| Percent::from_ratio(share).expect("a share");
    let admission = Admission {
        mode,
        rps: Some(Rps { limit: 1_000.0, burst: 50, per: Per::Route }),
        cpu: None,
        workers: Some(Workers {
            bounds: Hysteresis { enter: share(0.85), exit: share(0.75) },
            full: share(1.0),
            wait: None,
        }),
        on_stale: OnStale::Proven,
    };
    let route = |n: usize| Route {
        name: name(&format!("r{n}")),
        origin: origin(),
        matcher: Match {
            methods: vec![Method::POST],
            path: PathPattern {
                segments: vec![
                    Segment::Literal("tenant".into()),
                    Segment::Literal(n.to_string().into()),
                    Segment::Any,
                ],
                rest: false,
            },
            host: Some(HostPattern::Suffix(".example.internal".into())),
            headers: vec![(HeaderName::from_static("x-kind"), HeaderValue::from_static("mail"))],
        },
        target: Target::Function { function: name("f"), upstream: name("u") },
        class: Class::Batch,
        admission: Some(admission.clone()),
        cache: None,
        websocket: false,
        strict_path: true,
    };
    Policy {
        pool: policy::Pool::default(),
        upstreams: [(name("u"), upstream)].into(),
        functions: [(name("f"), function)].into(),
        routes: (0..100).map(|n| (name(&format!("r{n}")), route(n))).collect(),
    }
}

#[test]
fn a_call_costs_no_allocation_whether_let_in_or_refused() {
    assert_eq!(decided(Mode::Enforce), (20, 80, 0));
    assert_eq!(decided(Mode::Shadow), (100, 0, 80), "in appearance");
    assert!(allocations_of(|| drop(Box::new(1))) > 0, "the counter counts");
}

/// Of a hundred calls: how many were let in, refused, and refused in appearance.
fn decided(mode: Mode) -> (usize, u32, u32) {
    let snapshot = Snapshot::compile(written(mode), 1, &Live::new(), Moment::from_nanos(0));
    let mut headers = HeaderMap::new();
    headers.insert("x-kind", HeaderValue::from_static("mail"));
    let mut held = Vec::with_capacity(100);
    let (mut refused, mut in_appearance, mut throttled) = (0, 0, 0);
    let count = allocations_of(|| {
        for n in 0..100u64 {
            let now = Moment::from_nanos(n);
            let host = "api.eu.example.internal";
            let found = snapshot.find(&Method::POST, host, "/tenant/42/inbox", &headers);
            let route = found.expect("the route of the tenant");
            let ask = Ask { class: Class::Batch, caller: Some(n) };
            let decision = route.decide(ask, now);
            in_appearance += u32::from(decision.shadow.is_some());
            let Ok(slot) = decision.outcome else {
                refused += 1;
                continue;
            };
            let permit = route.function.as_ref().map(sumun_engine::Function::reserve);
            throttled += u32::from(matches!(permit, Some(Err(_))));
            let endpoint = route.upstream.pick(n << 7, None, now).expect("an endpoint");
            held.push((slot, permit, endpoint.begin()));
        }
    });
    assert_eq!((count, throttled), (0, 0), "allocations, calls without a permit");
    (held.len(), refused, in_appearance)
}
