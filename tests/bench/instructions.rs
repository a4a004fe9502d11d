//! Runs one stage of the request path again and again, for a tool that counts instructions.
//!
//! `instructions STAGE COUNT` sets the stage up and runs it COUNT times; `instructions --list` names
//! the stages. Counting two runs of different COUNT and taking the difference leaves the setup out.
//! See `instructions.py`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool of the bench")]

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::pin::pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Response, Version};
use http_body_util::BodyExt;
use sumun::body::Body;
use sumun::clock::Clock;
use sumun::path::Caller;
use sumun::plan::{CorePlan, Plan, RoutePlan};
use sumun::recording::Recording;
use sumun::refusal::{Code, Refusal};
use sumun::screen::{HeadLimits, RequestScreen};
use sumun::settings::{AccessLogFormat, AccessLogSettings, RecordingSettings};
use sumun::store::{Asked, Cache, Now, Recalled};
use sumun::telemetry::gauges::{Gauges, LiveState};
use sumun::telemetry::otlp::settings::OtelSettings;
use sumun::telemetry::record::{Attempt, CallRecord, Trace};
use sumun::telemetry::traceparent::Parent;
use sumun::telemetry::{CoreTelemetry, Telemetry, TelemetrySettings};
use sumun::upstream::{Pools, tls_connector};
use sumun_engine::rate::{Bucket, Rate};
use sumun_engine::replay::{self, Left, Under, Verdict, play};
use sumun_engine::{Live, Moment, Route, Snapshot};
use sumun_policy::policy::Class;
use tokio::runtime::Runtime;

/// The gateway's own allocator: it is part of what a call costs.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Between two calls; a thousand calls a second.
const CALL_NS: u64 = 1_000_000;

/// A name, and what runs it so many times.
type Stage = (&'static str, fn(u64));

const STAGES: &[Stage] = &[
    ("screen a 200-byte head", screen),
    ("find a route among 10", |count| find(10, count)),
    ("find a route among 10,000", |count| find(10_000, count)),
    ("read a traceparent", traceparent),
    ("begin a trace", begin),
    ("recall: a cache hit", hit),
    ("take from a bucket", bucket),
    ("admit", admit),
    ("reserve", reserve),
    ("render a 429", refusal),
    ("settle", settle),
    ("settle and export a sampled call", export),
    ("record a call", record),
    ("replay a call", replay),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["--list"] => STAGES.iter().for_each(|(name, _)| println!("{name}")),
        [stage, count] => {
            let Some((_, run)) = STAGES.iter().find(|(name, _)| *name == stage) else {
                eprintln!("no such stage: {stage}");
                return ExitCode::FAILURE;
            };
            run(count.parse().unwrap());
        }
        _ => {
            eprintln!("usage: instructions --list | STAGE COUNT");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

// === what the stages stand on ===

/// A policy with this many routes, at least the three that are measured.
fn policy(routes: usize) -> sumun_policy::Policy {
    let mut files = vec![("bench.yaml".to_owned(), POLICY.to_owned())];
    let numbers: Vec<usize> = (0..routes.saturating_sub(ROUTES_USUAL)).collect();
    for chunk in numbers.chunks(1000) {
        let routes: Vec<String> = chunk.iter().map(|number| route_text(*number)).collect();
        let text = format!("version: 1\nroutes:\n{}", routes.concat());
        files.push((format!("routes-{}.yaml", chunk[0]), text));
    }
    let (policy, problems) = sumun_policy::check(&files);
    assert!(problems.is_empty(), "{problems:?}");
    policy.unwrap()
}

fn route_text(number: usize) -> String {
    let (service, resource) = (number % 100, number / 100);
    let path = format!("/service-{service}/resource-{resource}/**");
    format!("  route-{number}:\n    match: {{ path: {path} }}\n    upstream: origin\n")
}

/// Routes of [`POLICY`].
const ROUTES_USUAL: usize = 3;

const POLICY: &str = "version: 1
pool: { total: 20000, unreserved_min: 100 }
upstreams:
  origin: { endpoints: [http://127.0.0.1:1], workers_max: 10000 }
functions:
  work: { upstream: origin, reserved: 10000 }
routes:
  pass:
    match: { path: /pass/** }
    function: work
    class: default
    admission:
      rps: { limit: 1000000, burst: 100000 }
      workers: { enter: 95%, exit: 90% }
  limited:
    match: { path: /limited/** }
    upstream: origin
    class: batch
    admission: { rps: { limit: 0.001, burst: 1 } }
  cached:
    match: { methods: [GET], path: /cache/** }
    upstream: origin
    cache: { fresh_for: 1h }
";

fn compiled(routes: usize) -> Snapshot {
    Snapshot::compile(policy(routes), 1, &Live::new(), moment(0))
}

fn route(snapshot: &Snapshot, name: &str) -> Arc<Route> {
    let found = snapshot.routes().iter().find(|route| route.policy.name.to_string() == name);
    Arc::clone(found.unwrap())
}

/// When the call with this number comes.
fn moment(call: u64) -> Moment {
    Moment::from_nanos(1 + call * CALL_NS)
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn telemetry(otel: OtelSettings, runtime: &Runtime) -> Arc<Telemetry> {
    let settings = TelemetrySettings {
        access_log: AccessLogSettings { format: AccessLogFormat::Off, to: None },
        cores: 1,
        scheme: "http",
        otel,
        clock: Clock::start(),
    };
    Telemetry::build(settings, &tls_connector().unwrap(), runtime.handle()).unwrap()
}

/// A worker's end of telemetry, and the limited route as that worker sees it.
fn worker() -> (CoreTelemetry, Rc<RoutePlan>) {
    worker_of(&telemetry(OtelSettings::off(), &runtime()))
}

fn worker_of(telemetry: &Arc<Telemetry>) -> (CoreTelemetry, Rc<RoutePlan>) {
    let snapshot = Arc::new(compiled(0));
    let meters = snapshot.routes().iter().map(|route| telemetry.route(&route.policy)).collect();
    let plan =
        CorePlan::new(Arc::new(Plan { snapshot, meters, recorded: Vec::new() }), &Pools::default());
    let found =
        plan.find(&Method::GET, "bench.local", "/limited/1k", &HeaderMap::new()).cloned().unwrap();
    (telemetry.core(0), found)
}

fn trace() -> Trace {
    // One that nobody samples.
    let trace_id = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
    Trace { trace_id, span_id: 0x1f3a, parent_id: None, sampled: false }
}

/// What a future gives that never waits.
fn now_or_never<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a stage of the bench waited"),
    }
}

// === stages ===

fn screen(count: u64) {
    let head = b"GET /mail/list/inbox?page=2 HTTP/1.1\r\nHost: mail.example.internal\r\n\
        User-Agent: orders/2.4\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\n\
        X-Request-Id: 6f1c2a44-98d1-4b7e\r\nAccept-Language: en\r\n\r\n";
    assert!((190..=215).contains(&head.len()), "{} bytes", head.len());
    let mut screen = RequestScreen::new(HeadLimits::default());
    for _ in 0..count {
        assert!(black_box(&mut screen).watch(black_box(head)).is_ok());
    }
}

fn find(routes: usize, count: u64) {
    let snapshot = compiled(routes);
    let headers = HeaderMap::new();
    // Among 10,000 it is one of a hundred below the same first segment.
    let path = "/service-0/resource-0/items/17";
    for _ in 0..count {
        let found = snapshot.find(&Method::GET, "bench.local", black_box(path), &headers);
        assert!(black_box(found).is_some());
    }
}

fn traceparent(count: u64) {
    let text = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for _ in 0..count {
        assert!(black_box(Parent::parse(black_box(text))).is_some());
    }
}

fn begin(count: u64) {
    let (telemetry, _) = worker();
    let headers = HeaderMap::new();
    for _ in 0..count {
        black_box(telemetry.begin(black_box(&headers)));
    }
}

fn hit(count: u64) {
    let (policy, cache) = (policy(0), Cache::new(64 << 20));
    let (name, rules) =
        policy.routes.iter().find_map(|(name, r)| Some((name, r.cache.as_ref()?))).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("accept", HeaderValue::from_static("application/json"));
    let asked = Asked {
        method: &Method::GET,
        scheme: "http",
        authority: "bench.local",
        fronted: None,
        path_and_query: "/cache/1k",
        headers: &headers,
        has_body: false,
    };
    let now = Now { wall: SystemTime::now(), mono_ns: 1 };
    let Recalled::Forward(errand) = now_or_never(cache.recall(&asked, rules, name, now)) else {
        panic!("an empty cache answered");
    };
    let mut answer = Response::new(Body::Full(vec![b'x'; 1024].into()));
    let date = HeaderValue::from_str(&httpdate::fmt_http_date(now.wall)).unwrap();
    answer.headers_mut().insert("date", date);
    answer.headers_mut().insert("content-length", HeaderValue::from_static("1024"));
    answer.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    answer.headers_mut().insert("etag", HeaderValue::from_static("\"1-5f3a\""));
    let (answer, _) = now_or_never(errand.remember(answer, now));
    now_or_never(answer.into_body().collect()).unwrap();
    for call in 0..count {
        let now = Now { wall: now.wall, mono_ns: 1 + call };
        let recalled = now_or_never(cache.recall(black_box(&asked), rules, name, now));
        assert!(matches!(black_box(recalled), Recalled::Answer { .. }));
    }
}

fn bucket(count: u64) {
    let (bucket, rate) = (Bucket::default(), Rate::new(1_000_000.0, 1000));
    for call in 0..count {
        assert!(black_box(&bucket).take(rate, moment(call)).is_ok());
    }
}

fn admit(count: u64) {
    let route = route(&compiled(0), "pass");
    for call in 0..count {
        assert!(black_box(&route).admit(moment(call)).outcome.is_ok());
    }
}

fn reserve(count: u64) {
    let route = route(&compiled(0), "pass");
    let function = route.function.as_ref().unwrap();
    for _ in 0..count {
        assert!(black_box(function).reserve().is_ok());
    }
}

fn refusal(count: u64) {
    let (_telemetry, plan) = worker();
    let mut shed = None;
    for _ in 0..2 {
        shed = plan.route.admit(moment(0)).outcome.err();
    }
    let (shed, caller) = (shed.unwrap(), Caller { grpc: false, h2: false });
    for _ in 0..count {
        let refusal = Refusal::shed(Code::RpsOver, *black_box(&shed));
        black_box(refusal.response(caller, Some(&plan), &trace()));
    }
}

fn settle(count: u64) {
    let (telemetry, plan) = worker();
    let record = forwarded(&plan);
    for _ in 0..count {
        telemetry.settle(black_box(&record));
    }
}

/// With everything that follows, up to the receiver's socket: two spans a call.
fn export(count: u64) {
    const FLUSH_EVERY: u64 = 500;
    let receiver = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endpoint = format!("http://{}", receiver.local_addr().unwrap());
    std::thread::spawn(move || receiver.incoming().for_each(|stream| take_all(stream.unwrap())));
    let otel = OtelSettings::read(&|name| match name {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" => Some(endpoint.clone()),
        _ => None,
    });
    let runtime = runtime();
    let telemetry = telemetry(otel.unwrap(), &runtime);
    let (core, plan) = worker_of(&telemetry);
    let mut record = forwarded(&plan);
    record.trace.sampled = true;
    for call in 1..=count {
        core.settle(black_box(&record));
        if call % FLUSH_EVERY == 0 {
            runtime.block_on(telemetry.flush(Duration::from_mins(1)));
        }
    }
    let text = telemetry.prometheus(&Nothing);
    assert!(text.contains("sumun_spans_dropped_total 0"), "{text}");
}

/// Takes every request of a connection and says so.
fn take_all(mut stream: TcpStream) {
    let mut bytes = vec![0; 1 << 20];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut bytes[filled..]).unwrap_or(0);
        if read == 0 {
            return;
        }
        filled += read;
        let end = bytes[..filled].windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap();
        let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
        if filled == end + 4 + length {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            filled = 0;
        }
    }
}

/// A gateway of which nothing is to be told.
struct Nothing;

impl Gauges for Nothing {
    fn read(&self) -> LiveState {
        LiveState::default()
    }
}

/// A call that was forwarded and answered.
fn forwarded(plan: &RoutePlan) -> CallRecord {
    let started_ns = 1_000_000_000;
    let attempt = Attempt {
        span_id: 7,
        endpoint: Arc::from("127.0.0.1:1"),
        started_ns,
        head_ns: started_ns + 400_000,
        status: 200,
        failed: None,
    };
    let path = PathAndQuery::from_static("/pass/1k");
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let record = CallRecord {
        route: Some(Rc::clone(&plan.called)),
        head_ns: started_ns + 450_000,
        ended_ns: started_ns + 500_000,
        status: 200,
        class: Class::Default,
        attempts: [Some(attempt), None],
        response_bytes: 1024,
        complete: true,
        ..CallRecord::begin(trace(), started_ns, Method::GET, path, Version::HTTP_11, peer, 1)
    };
    assert_eq!(Duration::from_nanos(record.ended_ns - record.started_ns).as_micros(), 500);
    record
}

/// A gateway that records, and what it records of a route.
struct Recorded {
    live: Live,
    recording: Arc<Recording>,
    route: Arc<Route>,
    asked: replay::Asked,
}

fn recorded() -> Recorded {
    let settings = RecordingSettings { bytes: 32 << 20, keep: Duration::from_mins(15) };
    let live = Live::recorded(10_000, 8 << 20, settings.keep);
    let recording = Recording::new(&settings, 1).unwrap();
    let snapshot = Snapshot::compile(policy(0), 1, &live, moment(0));
    let route = route(&snapshot, "pass");
    let numbers = recording.follow(&snapshot, moment(0));
    let asked = replay::Asked {
        at: moment(0),
        order: 0,
        route: numbers[route.index].unwrap(),
        generation: snapshot.generation() as u16,
        class: route.policy.class,
        caller: Some(17),
        verdict: Verdict::Admitted,
        shadow: None,
    };
    Recorded { live, recording, route, asked }
}

/// What recording adds to a call that runs: two turns, its beginning and its end.
fn record(count: u64) {
    let Recorded { recording, route, asked, .. } = recorded();
    let recorder = recording.recorder().unwrap();
    for call in 0..count {
        let at = moment(call);
        let order = route.take_turn().unwrap().stamp as u32;
        let number = recorder.asked(None, black_box(&replay::Asked { at, order, ..asked }));
        let order = route.take_turn().unwrap().stamp as u32;
        recorder.left(number, black_box(&Left { at, order, route: asked.route }));
    }
}

/// A preview's work for a call: copied, put in order, played once.
fn replay(count: u64) {
    let Recorded { live, recording, route, asked } = recorded();
    let recorder = recording.recorder().unwrap();
    for call in 0..count {
        let at = moment(call);
        let order = route.take_turn().unwrap().stamp as u32;
        let number = recorder.asked(None, &replay::Asked { at, order, ..asked });
        let order = route.take_turn().unwrap().stamp as u32;
        recorder.left(number, &Left { at, order, route: asked.route });
    }
    let recording = recording.take(live.settled(), moment(count)).tape.assemble(&live);
    let mut played = 0;
    play(&recording, Under::Recorded, &mut |_, _| played += 1, &|| false);
    assert_eq!(played, count);
}
