//! What a draft would have done with the calls of the last minutes, and that asking changes nothing.

use std::time::Duration;

use serde_json::{Value, json};
use sumun_tests::{
    Actuator, Client, DEADLINE, Load, Reply, Response, Sumun, Tally, Upstream, eventually,
};

use crate::policies;

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// Every kind of admission on one upstream: `keys` on the batch route, its calls by a function.
fn mixed(upstream: &str, keys: &str, reserved: u32) -> String {
    format!(
        "version: 1\n\
         upstreams:\n  up: {{ {upstream} }}\n\
         functions:\n  fn: {{ upstream: up, reserved: {reserved} }}\n\
         routes:\n\
         \x20 job: {{ match: {{ path: /batch/** }}, function: fn, class: batch, admission: {{ {keys} }} }}\n\
         \x20 page: {{ match: {{ path: /page/** }}, upstream: up }}\n"
    )
}

async fn ask(sumun: &Sumun, files: &Value) -> Response {
    let body = json!({ "files": files }).to_string();
    sumun.admin("POST", "/api/v1/policies:preview", &JSON, body.as_bytes()).await
}

async fn preview(sumun: &Sumun, policy: &str) -> Value {
    let answer = ask(sumun, &json!({ "policy.yaml": policy })).await;
    assert_eq!(answer.status, 200, "{answer}");
    serde_json::from_str(&answer.text()).expect("JSON")
}

/// The preview of what runs, once no call is in flight.
async fn preview_of_itself(sumun: &Sumun) -> Value {
    sumun.idle(DEADLINE).await;
    let answer = ask(sumun, &json!({})).await;
    assert_eq!(answer.status, 200, "{answer}");
    serde_json::from_str(&answer.text()).expect("JSON")
}

fn count(preview: &Value, pointer: &str) -> u64 {
    preview.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// A few seconds of batch and interactive calls on many connections.
async fn rush(sumun: &Sumun, lasting: Duration) -> (u64, u64) {
    let page = Load::get(sumun.address(), "/page/x").connections(2).lasting(lasting).start();
    let job = Load::get(sumun.address(), "/batch/x").connections(16).lasting(lasting).run().await;
    let page = page.await.expect("the load runs");
    page.assert_all(200);
    (job.count(200), job.count(429))
}

/// More calls of a function at once than it has slots.
fn crowd(sumun: &Sumun, lasting: Duration) -> tokio::task::JoinHandle<Tally> {
    Load::get(sumun.address(), "/report/x").connections(4).lasting(lasting).start()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_running_policy_reproduces_every_live_decision_under_load() {
    let actuator = Actuator::start(|_| Reply::ok("ok").after(Duration::from_millis(4))).await;
    actuator.set(9.0, 12.0, 0.5);
    let keys = policies::upstream(&actuator.upstream().url());
    let keys = format!("{keys}, workers_max: 12, signals: {{ source: actuator, every: 200ms }}");
    let admission = "rps: { limit: 60, burst: 20 }, workers: { enter: 80%, exit: 70%, wait: 50ms }, \
                     cpu: { enter: 80%, exit: 70% }";
    let report = "  report: { match: { path: /report/** }, function: fn }\n";
    let policy = mixed(&keys, admission, 2).replacen("function: fn", "upstream: up", 1) + report;
    let settings = "workers: 2\n";
    let sumun = Sumun::with().policy("policy.yaml", &policy).settings(settings).start().await;
    let load = Duration::from_millis(1500);
    let mut offered = 0;
    for (busy, cpu, limit) in [(9.0, 0.5, 60), (4.0, 0.95, 60), (5.0, 0.3, 20)] {
        actuator.set(busy, 12.0, cpu);
        if limit != 60 {
            // A reload in the middle.
            sumun.write_policy("policy.yaml", policy.replace("limit: 60", "limit: 20"));
            eventually("the policy is reloaded", DEADLINE, async || {
                let revision = sumun.metric("sumun_policy_revision").await;
                if revision > 1.5 { Ok(()) } else { Err(revision) }
            })
            .await;
        }
        let reports = crowd(&sumun, load);
        let (admitted, refused) = rush(&sumun, load).await;
        offered += admitted + refused + reports.await.expect("the load runs").answers();
    }
    let told = preview_of_itself(&sumun).await;
    let (same, different) = (count(&told, "/fidelity/same"), count(&told, "/fidelity/different"));
    eprintln!("{same} decided alike, {different} not");
    eprintln!("live: {}", told["now"]);
    assert_eq!(told["fidelity"]["whole"], true, "{told}");
    assert_eq!(same + different, count(&told, "/calls"), "{told}");
    // How many they are the machine decides.
    assert!(offered > 100 && count(&told, "/calls") > offered, "{offered}");
    for code in ["rps_over", "workers_over", "quota_full"] {
        assert!(count(&told, &format!("/now/refused_by/{code}")) > 0, "{code}: {}", told["now"]);
    }
    assert_eq!(different, 0, "of {same}");
}

/// Calls wait for slots and are handed them, slots and quotas of two upstreams are taken and given
/// back, clients leave, policies change; and the recording is read in the middle of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_in_the_middle_of_it_all_reproduces_every_decision_so_far() {
    let slow = |_: &_| Reply::ok("ok").after(Duration::from_millis(3));
    let (one, two) = (Upstream::start(slow).await, Upstream::start(slow).await);
    let policy = |max: u32| {
        let of = |upstream: &Upstream| policies::upstream(&upstream.url());
        let shed = "admission: { workers: { enter: 50%, exit: 40%, full: 90%, wait: 30ms } }";
        format!(
            "version: 1\npool: {{ total: 12, unreserved_min: 4 }}\n\
             upstreams:\n  one: {{ {}, workers_max: {max} }}\n  two: {{ {}, workers_max: {max} }}\n\
             functions:\n  a: {{ upstream: one }}\n  b: {{ upstream: two }}\n\
             \x20 c: {{ upstream: two, reserved: 3 }}\n\
             routes:\n\
             \x20 a: {{ match: {{ path: /a }}, function: a, class: batch, {shed} }}\n\
             \x20 b: {{ match: {{ path: /b }}, function: b, class: bulk, {shed} }}\n\
             \x20 c: {{ match: {{ path: /c }}, function: c, class: default, {shed} }}\n\
             \x20 d: {{ match: {{ path: /d }}, upstream: one }}\n",
            of(&one),
            of(&two),
        )
    };
    let starting = Sumun::with().policy("policy.yaml", &policy(8)).settings("workers: 2\n");
    let sumun = starting.start().await;
    let load = Load::requests(sumun.address(), |connection, turn| {
        let path = ["/a", "/b", "/c", "/d"][(connection + turn as usize) % 4];
        format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").into_bytes()
    });
    let load = load.connections(32).lasting(Duration::from_mins(1));
    let stop = load.stop();
    let load = load.start();
    for round in 1..=6 {
        for path in ["/a", "/b", "/c"] {
            // Gone before the answer, many of them while they wait.
            let mut client = Client::connect(sumun.address()).await;
            client.send(&format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        }
        sumun.write_policy("policy.yaml", policy(8 + round % 2));
        sumun.sighup();
        let before = sumun.metric("sumun_policy_revision").await;
        eventually("some more calls and a reload", DEADLINE, async || {
            let revision = sumun.metric("sumun_policy_revision").await;
            if revision > before || before > f64::from(round) { Ok(()) } else { Err(revision) }
        })
        .await;
        let answer = ask(&sumun, &json!({})).await;
        let told: Value = serde_json::from_str(&answer.text()).expect("JSON");
        assert_eq!(told["fidelity"]["different"], 0, "round {round}: {told}");
        eprintln!("{round}: {} calls, {}", told["calls"], told["now"]);
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let tally = load.await.expect("the load runs");
    assert!(tally.broken.is_empty(), "{tally:?}");
    let told = preview_of_itself(&sumun).await;
    assert_eq!(
        (&told["fidelity"]["different"], &told["fidelity"]["whole"]),
        (&json!(0), &json!(true))
    );
    for code in ["workers_over", "quota_full"] {
        assert!(count(&told, &format!("/now/refused_by/{code}")) > 0, "{code}: {}", told["now"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_beside_live_traffic_changes_no_decision_and_no_counter() {
    let upstream = Upstream::plain().await;
    let policy = mixed(&policies::upstream(&upstream.url()), "rps: { limit: 50, burst: 40 }", 300);
    let sumun = Sumun::start(&policy).await;
    let load = Duration::from_secs(2);
    let began = std::time::Instant::now();
    let job = Load::get(sumun.address(), "/batch/x").connections(4).lasting(load).start();
    let draft = mixed(&policies::upstream(&upstream.url()), "rps: { limit: 1, burst: 1 }", 0);
    let mut previews = 0;
    while !job.is_finished() {
        let told = preview(&sumun, &draft).await;
        assert_eq!(count(&told, "/draft/admitted"), 0, "{told}");
        previews += 1;
    }
    let job = job.await.expect("the load runs");
    let most = 40.0 + 50.0 * began.elapsed().as_secs_f64();
    assert!(previews > 1 && job.broken.is_empty(), "{previews} {job:?}");
    let admitted = job.count(200);
    assert!((10..=most as u64 + 1).contains(&admitted), "{admitted} admitted, at most {most}");
    let metric = |decision: &str| {
        format!("sumun_admission_total{{route=\"job\",decision=\"{decision}\",mode=\"enforce\"}}")
    };
    let counted = sumun.metric(&metric("admit")).await + sumun.metric(&metric("refuse")).await;
    assert!((counted - job.answers() as f64).abs() < 0.5, "{counted}, {} answers", job.answers());
    let function = sumun.admin_get("/api/v1/functions/fn").await;
    assert_eq!((count(&function, "/throttled"), count(&function, "/reserved")), (0, 300));
    let told = preview_of_itself(&sumun).await;
    assert_eq!(count(&told, "/draft/refused"), job.count(429), "{told}");
    assert_eq!(told["now"], told["draft"]);
}

#[tokio::test]
async fn a_draft_that_pauses_a_function_refuses_its_calls_and_no_others() {
    let upstream = Upstream::plain().await;
    let keys = policies::upstream(&upstream.url());
    let sumun = Sumun::start(&mixed(&keys, "rps: { limit: 100000, burst: 100000 }", 300)).await;
    Load::get(sumun.address(), "/batch/x").total(40).run().await.assert_all(200);
    Load::get(sumun.address(), "/page/x").total(10).run().await.assert_all(200);
    sumun.idle(DEADLINE).await;
    let told = preview(&sumun, &mixed(&keys, "rps: { limit: 100000, burst: 100000 }", 0)).await;
    let expected = json!({
        "admitted": 10, "refused": 40, "refused_by": { "quota_full": 40 }, "shadow_refused_by": {},
    });
    assert_eq!(told["draft"], expected, "{told}");
    assert_eq!(count(&told, "/now/admitted"), 50);
    assert_eq!(told["routes"][0]["route"], "job");
    assert_eq!(told["routes"][0]["class"], "batch");
    assert_eq!(count(&told, "/routes/0/draft/refused"), 40);
    assert_eq!(count(&told, "/routes/1/draft/refused"), 0);
    let sum = |list: &str| {
        let list = told["series"][list].as_array().expect("a list");
        (list.len(), list.iter().filter_map(Value::as_u64).sum::<u64>())
    };
    let ((steps, calls), (_, refused)) = (sum("calls"), sum("refused_draft"));
    assert!(steps <= 900 && (calls, refused) == (50, 40), "{}", told["series"]);
    assert_eq!(count(&told, "/callers/0/refused_draft"), 40, "{told}");
    assert!(told["diff"].as_array().is_some_and(|diff| !diff.is_empty()), "{told}");
    assert!(count(&told, "/from_unix_ms") > 1_600_000_000_000, "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enforcing_what_ran_in_shadow_refuses_what_shadow_counted() {
    let upstream = Upstream::plain().await;
    let keys = policies::upstream(&upstream.url());
    let policy = mixed(&keys, "mode: shadow, rps: { limit: 100, burst: 30 }", 300);
    let sumun = Sumun::start(&policy).await;
    Load::get(sumun.address(), "/batch/x").connections(4).total(600).run().await.assert_all(200);
    sumun.idle(DEADLINE).await;
    let told = preview(&sumun, &policy.replace("shadow", "enforce")).await;
    let counted = "sumun_admission_total{route=\"job\",decision=\"refuse\",mode=\"shadow\"}";
    let counted = sumun.metric(counted).await as u64;
    assert!(counted > 100, "{counted}");
    assert_eq!(count(&told, "/draft/refused"), counted, "{told}");
    assert_eq!(count(&told, "/now/shadow_refused_by/rps_over"), counted, "{told}");
    assert_eq!(count(&told, "/now/refused"), 0, "{told}");
}

#[tokio::test]
async fn calls_that_may_go_elsewhere_are_not_guessed() {
    let upstream = Upstream::plain().await;
    let keys = policies::upstream(&upstream.url());
    let policy = mixed(&keys, "rps: { limit: 100000, burst: 100000 }", 300);
    let sumun = Sumun::start(&policy).await;
    Load::get(sumun.address(), "/batch/x").total(7).run().await.assert_all(200);
    Load::get(sumun.address(), "/page/x").total(5).run().await.assert_all(200);
    sumun.idle(DEADLINE).await;
    let other = "  new: { match: { path: /page/new }, upstream: up }\n";
    let told = preview(&sumun, &format!("{policy}{other}").replace("/batch/**", "/jobs/**")).await;
    let expected = json!({ "match_changed": 7, "matched_elsewhere": 5 });
    assert_eq!(told["not_replayed"], expected, "{told}");
    assert_eq!((count(&told, "/calls"), count(&told, "/draft/admitted")), (12, 0), "{told}");
}

#[tokio::test]
async fn a_draft_with_problems_is_422_and_nothing_recorded_says_so() {
    let upstream = Upstream::plain().await;
    let keys = policies::upstream(&upstream.url());
    let policy = mixed(&keys, "rps: { limit: 100000, burst: 100000 }", 300);
    let sumun = Sumun::start(&policy).await;
    let answer = ask(&sumun, &json!({ "policy.yaml": "version: 1\nroutes: 3\n" })).await;
    assert_eq!(answer.status, 422, "{answer}");
    let problem: Value = serde_json::from_str(&answer.text()).expect("JSON");
    assert_eq!(problem["code"], "policy_problems", "{answer}");
    assert!(problem["problems"][0]["line"].is_u64(), "{answer}");
    let told = preview(&sumun, &policy).await;
    assert_eq!((count(&told, "/calls"), &told["from_unix_ms"]), (0, &Value::Null), "{told}");
    assert_eq!(told["notes"], json!(["no calls are recorded yet"]));
    let off = Sumun::with().policy("policy.yaml", &policy);
    let off = off.settings("recording: { bytes: 0B }\n").start().await;
    assert_eq!(off.get("/page/x").await.status, 200);
    let told = preview(&off, &policy).await;
    assert_eq!(told["notes"], json!(["nothing is recorded (recording.bytes is 0)"]));
    assert_eq!(off.admin_get("/api/v1/status").await["recording"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_stays_within_the_bytes_and_what_is_lost_is_told() {
    const BYTES: u64 = 192 << 10;
    let upstream = Upstream::plain().await;
    let policy = mixed(&policies::upstream(&upstream.url()), "rps: { limit: 1, burst: 1 }", 300);
    let settings = "workers: 1\nrecording: { bytes: 192KiB }\n";
    let sumun = Sumun::with().policy("policy.yaml", &policy).settings(settings).start().await;
    let load = Load::get(sumun.address(), "/batch/x").connections(8).total(20_000).run().await;
    assert_eq!(load.answers(), 20_000, "{load:?}");
    let status = sumun.admin_get("/api/v1/status").await;
    assert!((100_000..=BYTES).contains(&count(&status, "/recording/bytes")), "{status}");
    assert!(sumun.metric("sumun_recording_bytes").await <= BYTES as f64);
    assert!(sumun.metric("sumun_recording_lost_total").await > 5_000.0);
    let told = preview_of_itself(&sumun).await;
    assert_eq!(count(&told, "/calls") + count(&told, "/lost"), 20_000, "{told}");
    assert_eq!(told["fidelity"]["whole"], false, "{told}");
    assert!(count(&told, "/calls") > 2_000, "{told}");
}
