//! Callers that nobody holds back: calls come at random moments (a Poisson process) at a given
//! rate, whether or not earlier ones were answered.
//!
//! Bounds: `connections_max` calls in flight (a call that finds none is failed and counted as
//! `unsent`), `timeout_ms` for each. The run says how late it sent; where that is much, what it
//! measured is the machine and not the gateway.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::tally::{self, Outcome, Seen, Window};
use crate::timer::Timer;
use crate::wire::{self, Connection};

/// What to send.
#[derive(Deserialize)]
struct Plan {
    port: u16,
    seed: u64,
    slo_ms: u64,
    bin_ms: u64,
    timeout_ms: u64,
    connections_max: u32,
    /// Connections made before the first call, so that a run does not begin with a storm of them.
    connections_ready: u32,
    /// What is counted in `total`, seconds from the beginning.
    window_s: (f64, f64),
    streams: Vec<Stream>,
    cues: Vec<Cue>,
}

/// Calls of one path.
#[derive(Deserialize)]
struct Stream {
    name: String,
    path: String,
    /// One after another: seconds, calls a second.
    phases: Vec<(f64, f64)>,
}

/// Something that happens to a service while calls come.
#[derive(Deserialize)]
struct Cue {
    at_s: f64,
    port: u16,
    path: String,
}

/// A run under way.
struct Run {
    plan: Plan,
    begun: Instant,
    idle: RefCell<Vec<Connection>>,
    in_flight: Cell<u32>,
    unsent: Cell<u64>,
    lags_us: RefCell<Vec<u64>>,
}

/// Runs a plan; gives its figures as JSON.
pub async fn run(plan: &str) -> Value {
    let plan: Plan = serde_json::from_str(plan).expect("a plan");
    let mut idle = Vec::new();
    for _ in 0..plan.connections_ready {
        idle.push(Connection::open(plan.port).await.expect("the gateway listens"));
    }
    let begun_unix_s = UNIX_EPOCH.elapsed().expect("after 1970").as_secs_f64();
    let run = Rc::new(Run {
        plan,
        begun: Instant::now(),
        idle: RefCell::new(idle),
        in_flight: Cell::new(0),
        unsent: Cell::new(0),
        lags_us: RefCell::default(),
    });
    let cues: Vec<_> = (0..run.plan.cues.len())
        .map(|at| tokio::task::spawn_local(cue(Rc::clone(&run), at)))
        .collect();
    let streams: Vec<_> = (0..run.plan.streams.len())
        .map(|at| tokio::task::spawn_local(send(Rc::clone(&run), at)))
        .collect();
    let mut seen = Vec::new();
    for stream in streams {
        seen.push(stream.await.expect("a stream does not panic"));
    }
    for cue in cues {
        cue.await.expect("a cue is taken");
    }
    report(&run, &seen, begun_unix_s)
}

fn report(run: &Run, seen: &[Vec<Seen>], begun_unix_s: f64) -> Value {
    let plan = &run.plan;
    let us = |seconds: f64| (seconds * 1e6) as u64;
    let window = Window {
        from_us: us(plan.window_s.0),
        to_us: us(plan.window_s.1),
        slo_us: plan.slo_ms * 1000,
    };
    let streams: serde_json::Map<String, Value> = plan
        .streams
        .iter()
        .zip(seen)
        .map(|(stream, calls)| {
            let to_us = us(stream.phases.iter().map(|(seconds, _)| seconds).sum());
            let bins = tally::bins(calls, plan.bin_ms * 1000, to_us, window.slo_us);
            let value = json!({ "total": tally::figures(calls, window), "bins": bins });
            (stream.name.clone(), value)
        })
        .collect();
    let mut lags_us = run.lags_us.take();
    lags_us.sort_unstable();
    json!({
        "begun_unix_s": begun_unix_s,
        "streams": streams,
        "unsent": run.unsent.get(),
        "lag_p99_us": tally::quantile(&lags_us, 0.99),
        "lag_max_us": lags_us.last(),
    })
}

async fn cue(run: Rc<Run>, at: usize) {
    let cue = &run.plan.cues[at];
    Timer::new().until(run.begun + Duration::from_secs_f64(cue.at_s)).await;
    let mut connection = Connection::open(cue.port).await.expect("the service listens");
    let answer = connection.call(&wire::get(&cue.path)).await.expect("the service answers");
    assert_eq!(answer.status, 200, "{}", cue.path);
}

/// Sends all calls of a stream and waits for their answers.
async fn send(run: Rc<Run>, at: usize) -> Vec<Seen> {
    let stream = &run.plan.streams[at];
    let mut random = fastrand::Rng::with_seed(run.plan.seed.wrapping_add(at as u64));
    let request: Rc<[u8]> = wire::get(&stream.path).into();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let timer = Timer::new();
    let mut calls = tokio::task::JoinSet::new();
    let mut phase_s = 0.0;
    for (seconds, rate) in &stream.phases {
        let (mut next_s, end_s) = (phase_s, phase_s + seconds);
        loop {
            // Between calls of a Poisson process: -ln(U) / rate, U in (0, 1].
            next_s -= (1.0 - random.f64()).ln() / rate;
            if *rate <= 0.0 || next_s >= end_s {
                break;
            }
            let intended = run.begun + Duration::from_secs_f64(next_s);
            let lag = timer.until(intended).await;
            run.lags_us.borrow_mut().push(lag.as_micros() as u64);
            let (run, seen) = (Rc::clone(&run), Rc::clone(&seen));
            calls.spawn_local(call(run, Rc::clone(&request), intended, seen));
            while calls.try_join_next().is_some() {}
        }
        phase_s = end_s;
    }
    calls.join_all().await;
    seen.take()
}

async fn call(run: Rc<Run>, request: Rc<[u8]>, intended: Instant, seen: Rc<RefCell<Vec<Seen>>>) {
    let outcome = if run.in_flight.get() < run.plan.connections_max {
        run.in_flight.set(run.in_flight.get() + 1);
        let timeout = Duration::from_millis(run.plan.timeout_ms);
        let answered = tokio::time::timeout(timeout, ask(&run, &request)).await;
        run.in_flight.set(run.in_flight.get() - 1);
        match answered {
            Ok(Ok(200..=299)) => Outcome::Ok,
            Ok(Ok(429)) => Outcome::Refused,
            _ => Outcome::Failed,
        }
    } else {
        run.unsent.set(run.unsent.get() + 1);
        Outcome::Failed
    };
    let us = |duration: Duration| duration.as_micros() as u64;
    let intended_us = us(intended.saturating_duration_since(run.begun));
    let latency_us = us(intended.elapsed());
    seen.borrow_mut().push(Seen { intended_us, latency_us, outcome });
}

async fn ask(run: &Run, request: &[u8]) -> std::io::Result<u16> {
    let kept = run.idle.borrow_mut().pop();
    let mut connection = match kept {
        Some(connection) => connection,
        None => Connection::open(run.plan.port).await?,
    };
    let answer = connection.call(request).await?;
    if !answer.close {
        run.idle.borrow_mut().push(connection);
    }
    Ok(answer.status)
}
