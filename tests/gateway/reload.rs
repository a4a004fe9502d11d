//! Reload: all or nothing, without a failed call, and what lives survives.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use sumun_tests::{
    Client, DEADLINE, Gate, Load, Reply, Response, Step, Sumun, Upstream, eventually,
};

use crate::policies;

const SOON: Duration = Duration::from_secs(5);

async fn revision(sumun: &Sumun) -> f64 {
    sumun.metric("sumun_policy_revision").await
}

async fn reload_ok(sumun: &Sumun) -> Option<f64> {
    sumun.metrics().await.get("sumun_policy_reload_ok")
}

/// A policy whose one route is refused with figures that tell the version.
fn version(url: &str, name: &str, threshold: &str) -> String {
    format!(
        "version: 1\n\
         upstreams:\n  up: {{ {} }}\n\
         routes:\n\
         \x20 {name}: {{ match: {{ path: /t/** }}, upstream: up, class: bulk, \
         admission: {{ rps: {{ limit: {threshold}, burst: 1 }} }} }}\n\
         \x20 page: {{ match: {{ path: /page }}, upstream: up }}\n",
        policies::upstream(url)
    )
}

#[tokio::test]
async fn a_changed_file_is_used_without_being_told() {
    let (one, two) =
        (Upstream::start(|_| Reply::ok("1")).await, Upstream::start(|_| Reply::ok("2")).await);
    let sumun = Sumun::start(&policies::to(&one.url())).await;
    assert_eq!(sumun.get("/").await.text(), "1");
    let before = revision(&sumun).await;
    sumun.write_policy("policy.yaml", policies::to(&two.url()));
    eventually("the new policy", SOON, async || {
        let text = sumun.get("/").await.text();
        if text == "2" { Ok(()) } else { Err(text) }
    })
    .await;
    assert!(revision(&sumun).await > before);
    assert_eq!(reload_ok(&sumun).await, Some(1.0));
}

#[tokio::test]
async fn sighup_reloads() {
    let (one, two) =
        (Upstream::start(|_| Reply::ok("1")).await, Upstream::start(|_| Reply::ok("2")).await);
    let sumun = Sumun::start(&policies::to(&one.url())).await;
    // Written in place, as `echo >` does.
    fs::write(sumun.policies().join("policy.yaml"), policies::to(&two.url())).expect("written");
    sumun.sighup();
    eventually("the new policy", Duration::from_secs(2), async || {
        let text = sumun.get("/").await.text();
        if text == "2" { Ok(()) } else { Err(text) }
    })
    .await;
}

#[tokio::test]
async fn sighup_does_not_end_a_gateway_that_is_not_ready_yet() {
    // It asks for the upstream's load first, and gets no answer.
    let upstream = Upstream::start(|_| Reply::promise(8).then(Step::Hang)).await;
    let signals = "signals: { source: actuator }";
    let keys = format!("{}, {signals}", policies::upstream(&upstream.url()));
    let policy = policies::policy(&keys, "");
    let mut sumun = Sumun::with().policy("policy.yaml", &policy).spawn();
    eventually("it asks for the load", DEADLINE, async || {
        if upstream.request_count() > 0 { Ok(()) } else { Err("not yet") }
    })
    .await;
    assert!(!sumun.state().join("addresses.json").exists(), "it does not serve yet");
    sumun.sighup();
    sumun.wait_ready().await;
}

#[tokio::test]
async fn files_come_and_go_and_together_they_are_one_policy() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::start(&policies::to(&upstream.url()).replace("/**", "/a/**")).await;
    sumun.get("/b/x").await.problem(404, "route_unknown");
    let more = "version: 1\nroutes:\n  more: { match: { path: /b/** }, upstream: up }\n";
    sumun.write_policy("more.yaml", more);
    let becomes = async |status: u16| {
        eventually("the other file", SOON, async || match sumun.get("/b/x").await.status {
            seen if seen == status => Ok(()),
            seen => Err(seen),
        })
        .await;
    };
    becomes(200).await;
    fs::remove_file(sumun.policies().join("more.yaml")).expect("removed");
    becomes(404).await;
    assert_eq!(sumun.get("/a/x").await.status, 200);
}

#[tokio::test]
async fn a_policy_with_problems_changes_nothing_and_is_reported() {
    let upstream = Upstream::plain().await;
    let good = policies::to(&upstream.url());
    let sumun = Sumun::start(&good).await;
    let half = &good.as_bytes()[..good.len() - 10];
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("truncated", half.to_vec()),
        ("not UTF-8", [good.as_bytes(), b"# \xff\xfe\n"].concat()),
        ("unknown key", good.replace("upstream: up", "upstream: up, clas: batch").into_bytes()),
        ("negative", good.replace("response: 5s", "response: -5s").into_bytes()),
        ("empty", Vec::new()),
        (
            "duplicate",
            [good.as_bytes(), b"routes:\n  all: { match: { path: /x }, upstream: up }\n"].concat(),
        ),
        ("no such upstream", good.replace("upstream: up", "upstream: down").into_bytes()),
        ("no YAML", b"\tversion: [1\n".to_vec()),
        ("a list", b"- 1\n- 2\n".to_vec()),
        ("version 2", good.replace("version: 1", "version: 2").into_bytes()),
    ];
    for (name, text) in cases {
        let before = revision(&sumun).await;
        sumun.write_policy("policy.yaml", &text);
        sumun.sighup();
        eventually(name, SOON, async || match reload_ok(&sumun).await {
            Some(0.0) => Ok(()),
            other => Err(other),
        })
        .await;
        assert_eq!(sumun.get("/").await.status, 200, "{name}: the old one stays");
        assert!((revision(&sumun).await - before).abs() < 0.1, "{name}");
        sumun.write_policy("policy.yaml", &good);
        sumun.sighup();
        eventually("well again", SOON, async || match reload_ok(&sumun).await {
            Some(1.0) => Ok(()),
            other => Err(other),
        })
        .await;
    }
}

#[tokio::test]
async fn a_folder_of_symlinks_is_swapped_as_kubernetes_does() {
    use std::os::unix::fs::symlink;
    let (one, two) =
        (Upstream::start(|_| Reply::ok("1")).await, Upstream::start(|_| Reply::ok("2")).await);
    let starting = Sumun::with();
    let folder = starting.policies();
    for (name, url) in [("..v1", one.url()), ("..v2", two.url())] {
        fs::create_dir(folder.join(name)).expect("a version");
        fs::write(folder.join(name).join("policy.yaml"), policies::to(&url)).expect("written");
    }
    symlink("..v1", folder.join("..data")).expect("a link");
    symlink("..data/policy.yaml", folder.join("policy.yaml")).expect("a link");
    let sumun = starting.start().await;
    assert_eq!(sumun.get("/").await.text(), "1");
    symlink("..v2", folder.join("..next")).expect("a link");
    fs::rename(folder.join("..next"), folder.join("..data")).expect("swapped");
    eventually("the new version", SOON, async || {
        let text = sumun.get("/").await.text();
        if text == "2" { Ok(()) } else { Err(text) }
    })
    .await;
}

#[tokio::test]
async fn a_policy_cut_anywhere_is_refused_or_means_what_it_says() {
    let upstream = Upstream::plain().await;
    let good = policies::to(&upstream.url());
    let sumun = Sumun::start(&good).await;
    let begins_routes = good.find("    all").or_else(|| good.find("  all")).expect("a route");
    // Before the route's name is whole there is no route: none of these may be applied in part.
    let mut reloads = sumun.metric("sumun_policy_revision").await;
    for cut in (0..begins_routes).step_by(7) {
        sumun.write_policy("policy.yaml", &good.as_bytes()[..cut]);
        sumun.sighup();
        eventually("the cut policy is seen", SOON, async || match reload_ok(&sumun).await {
            Some(0.0) => Ok(()),
            other => Err((cut, other)),
        })
        .await;
        assert_eq!(sumun.get("/").await.status, 200, "cut at {cut}");
        assert!((revision(&sumun).await - reloads).abs() < 0.1, "cut at {cut}");
        sumun.write_policy("policy.yaml", &good);
        sumun.sighup();
        eventually("well again", SOON, async || match reload_ok(&sumun).await {
            Some(1.0) => Ok(()),
            other => Err((cut, other)),
        })
        .await;
        reloads = revision(&sumun).await;
    }
}

#[tokio::test]
async fn live_state_survives_a_reload() {
    let gate = Gate::closed();
    let behind = gate.clone();
    let upstream = Upstream::start(move |request| match request.target() {
        "/wait" => Reply::ok("x").behind(&behind),
        _ => Reply::ok("ok"),
    })
    .await;
    let policy = policies::function(&upstream.url(), "reserved: 2");
    let sumun = Sumun::start(&policy).await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(sumun.address()).await;
        client.send("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await;
        waiting.push(client);
    }
    upstream.arrived(2).await;
    let before = revision(&sumun).await;
    sumun.write_policy(
        "policy.yaml",
        format!("{policy}# changed\n").replace("reserved: 2", "reserved: 3"),
    );
    sumun.sighup();
    eventually("the new revision", SOON, async || {
        let now = revision(&sumun).await;
        if now > before { Ok(()) } else { Err(now) }
    })
    .await;
    // Two are still in use: one is left of three.
    let in_use = "sumun_function_concurrency{function=\"fn\",kind=\"in_use\"}";
    assert!((sumun.metric(in_use).await - 2.0).abs() < 0.1, "{}", sumun.metric(in_use).await);
    let mut third = Client::connect(sumun.address()).await;
    third.send("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await;
    upstream.arrived(3).await;
    sumun.get("/").await.problem(429, "quota_full");
    gate.open();
    for mut client in waiting {
        assert_eq!(client.answer().await.status, 200);
    }
    assert_eq!(third.answer().await.status, 200);
    sumun.idle(DEADLINE).await;
}

#[tokio::test]
async fn a_bucket_survives_a_reload() {
    let upstream = Upstream::plain().await;
    let policy = version(&upstream.url(), "same", "0.01");
    let sumun = Sumun::start(&policy).await;
    assert_eq!(sumun.get("/t/x").await.status, 200);
    sumun.get("/t/x").await.problem(429, "rps_over");
    let before = revision(&sumun).await;
    sumun.write_policy("policy.yaml", policy.replace("path: /page", "path: /other"));
    sumun.sighup();
    eventually("the new revision", SOON, async || {
        let now = revision(&sumun).await;
        if now > before { Ok(()) } else { Err(now) }
    })
    .await;
    sumun.get("/t/x").await.problem(429, "rps_over");
}

/// The limit of the n-th version: no two have the same.
fn limit(n: u32) -> f64 {
    f64::from(1 + n) / 10.0
}

/// What a call was told: its trace, and the threshold that refused it.
type Told = Arc<Mutex<Vec<(String, f64)>>>;

/// By trace, the revision that the access log names for each call.
fn logged(sumun: &Sumun) -> HashMap<String, u64> {
    let lines = sumun.stdout();
    let calls = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    calls
        .filter_map(|call| {
            Some((call["trace_id"].as_str()?.to_owned(), call["revision"].as_u64()?))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_decision_is_of_the_revision_that_it_names_under_a_thousand_reloads() {
    const RELOADS: u32 = 1000;
    let upstream = Upstream::plain().await;
    let of = |n: u32| version(&upstream.url(), "same", &format!("{:.1}", limit(n)));
    let settings = "access_log: { format: json, to: stdout }\nworkers: 2\n";
    let sumun = Sumun::with().policy("policy.yaml", &of(0)).settings(settings).start().await;
    let told = Told::default();
    let load =
        Load::requests(sumun.address(), |_, _| b"GET /t/x HTTP/1.1\r\nhost: a\r\n\r\n".to_vec());
    let heard = Arc::clone(&told);
    let load = load.connections(2).lasting(Duration::from_mins(5)).look(move |answer| {
        if answer.status == 429 {
            let problem = answer.json();
            let trace = problem["trace_id"].as_str().ok_or("no trace")?.to_owned();
            let threshold = problem["threshold"].as_f64().ok_or("no threshold")?;
            heard.lock().map_err(|e| e.to_string())?.push((trace, threshold));
        }
        Ok(())
    });
    let stop = load.stop();
    let load = load.start();
    let first = revision(&sumun).await as u64;
    for n in 1..=RELOADS {
        sumun.write_policy("policy.yaml", of(n));
        sumun.sighup();
        eventually("the next revision", SOON, async || match revision(&sumun).await as u64 {
            now if now == first + u64::from(n) => Ok(()),
            now => Err(now),
        })
        .await;
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let tally = load.await.expect("no panic");
    assert!(tally.broken.is_empty() && tally.wrong.is_empty(), "{tally:?}");
    let told = told.lock().expect("no panic").clone();
    // A line that finds no room is dropped.
    let logged = eventually("the lines of the access log", DEADLINE, async || {
        let logged = logged(&sumun);
        let found = told.iter().filter(|(trace, _)| logged.contains_key(trace)).count();
        if found * 10 > told.len() * 9 { Ok(logged) } else { Err((found, told.len())) }
    })
    .await;
    let mut revisions = HashSet::new();
    for (trace, threshold) in &told {
        let Some(&revision) = logged.get(trace) else { continue };
        let expected = limit((revision - first) as u32);
        assert!((threshold - expected).abs() < 1e-9, "{trace}: {threshold} under {revision}");
        revisions.insert(revision);
    }
    assert!(revisions.len() > RELOADS as usize / 2, "{} revisions were met", revisions.len());
    eprintln!("{} refusals under {} revisions", told.len(), revisions.len());
}

/// A refusal whose figures come from two versions was decided under neither.
fn one_version(answer: &Response) -> Result<(), String> {
    if answer.status == 200 {
        return Ok(());
    }
    let problem = answer.json();
    match (problem["route"].as_str(), problem["threshold"].as_f64()) {
        (Some("odd"), Some(threshold)) if (threshold - 0.001).abs() < 1e-9 => Ok(()),
        (Some("even"), Some(threshold)) if (threshold - 0.002).abs() < 1e-9 => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_reloads_under_load_fail_no_call_and_mix_no_versions() {
    const RELOADS: u32 = 1000;
    let upstream = Upstream::plain().await;
    let versions =
        [version(&upstream.url(), "even", "0.002"), version(&upstream.url(), "odd", "0.001")];
    let sumun = Sumun::start(&versions[0]).await;
    let load = Load::requests(sumun.address(), |_, turn| {
        let path = if turn % 2 == 0 { "/page" } else { "/t/x" };
        format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").into_bytes()
    });
    let load = load.connections(2).lasting(Duration::from_mins(5)).look(one_version);
    let stop = load.stop();
    let load = load.start();
    let first = revision(&sumun).await;
    for n in 1..=RELOADS {
        sumun.write_policy("policy.yaml", format!("{}# {n}\n", versions[(n % 2) as usize]));
        sumun.sighup();
        let expected = first + f64::from(n);
        eventually("the next revision", SOON, async || {
            let now = revision(&sumun).await;
            if now >= expected { Ok(()) } else { Err((now, expected)) }
        })
        .await;
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let tally = load.await.expect("no panic");
    assert!(tally.broken.is_empty() && tally.wrong.is_empty() && tally.refused == 0, "{tally:?}");
    assert_eq!(tally.answers(), tally.count(200) + tally.count(429), "{:?}", tally.by_status);
    assert!(tally.answers() > u64::from(RELOADS), "{:?}", tally.by_status);
    eprintln!("{} calls under {RELOADS} reloads", tally.answers());
    assert_eq!(reload_ok(&sumun).await, Some(1.0));
    sumun.idle(DEADLINE).await;
}
