use sumun_engine::Reading;

use super::*;
use crate::sense::finding::Severity;
use crate::sense::scrape::ScrapeError;
use crate::sense::text::{Format, Reader, TextError, Wanted};

/// What Spring Boot really answers: see `tests/data/actuator/README.md`.
macro_rules! actuator {
    ($file:literal) => {
        include_str!(concat!("../../../../../tests/data/actuator/", $file))
    };
}

/// An upstream with these keys.
fn upstream(keys: &str) -> Upstream {
    let text = format!(
        "version: 1\nupstreams:\n  mail: {{ endpoints: [http://127.0.0.1:9101], {keys} }}\n\
         routes:\n  all: {{ match: {{ path: /** }}, upstream: mail }}\n"
    );
    let (policy, problems) = sumun_policy::check(&[("p.yaml".to_owned(), text)]);
    let policy = policy.unwrap_or_else(|| panic!("{problems:?}"));
    policy.upstreams.into_values().next().unwrap()
}

const ACTUATOR: &str = "signals: { source: actuator }";

fn wanted(upstream: &Upstream) -> Wanted {
    upstream.signals.as_ref().map(Wanted::of).unwrap_or_default()
}

/// What a text tells, looked through.
fn told(upstream: &Upstream, text: &str) -> Told {
    let wanted = wanted(upstream);
    let mut reader = Reader::surveying(&wanted);
    reader.feed(text.as_bytes()).unwrap();
    let format = if text.ends_with("# EOF\n") { Format::OpenMetrics } else { Format::Prometheus };
    reader.finish(format).unwrap()
}

fn findings(upstream: &Upstream, outcomes: impl IntoIterator<Item = Outcome>) -> Vec<Finding> {
    let mut chart = Chart::default();
    for outcome in outcomes {
        chart.note(upstream, &outcome);
    }
    chart.findings(upstream, &upstream.endpoints[0])
}

/// The findings about one text: id and remedy.
fn about(keys: &str, text: &str) -> Vec<(&'static str, String)> {
    let upstream = upstream(keys);
    let found = findings(&upstream, [Ok(told(&upstream, text))]);
    assert!(found.iter().all(|f| !f.seen.is_empty() && !f.meanwhile.is_empty()));
    found.into_iter().map(|finding| (finding.id, finding.remedy)).collect()
}

fn only(found: impl AsRef<[(&'static str, String)]>, id: &str, remedy: &str) {
    let found = found.as_ref();
    let [(found_id, found_remedy)] = found else { panic!("not one: {found:?}") };
    assert_eq!(*found_id, id);
    assert!(found_remedy.contains(remedy), "{found_remedy}");
}

#[test]
fn a_tomcat_that_tells_its_threads_is_well() {
    for text in [
        actuator!("boot-2.7-mbeanregistry.om"),
        actuator!("boot-3.2-mbeanregistry.txt"),
        actuator!("boot-3.3.1-mbeanregistry.txt"),
    ] {
        let upstream = upstream(ACTUATOR);
        let told = told(&upstream, text);
        let expected =
            Reading { busy: Some(1.0), max: Some(200.0), cpu: Some(0.25), own_in_flight: None };
        assert_eq!(told.reading, expected);
        assert_eq!(findings(&upstream, [Ok(told)]), []);
    }
}

#[test]
fn the_mbean_registry_is_off_by_default() {
    let found = about(ACTUATOR, actuator!("boot-2.7.txt"));
    only(found, "tomcat-mbeanregistry-off", "server.tomcat.mbeanregistry.enabled=true");
}

#[test]
fn spring_boot_3_3_0_does_not_know_its_most_threads() {
    let found = about(ACTUATOR, actuator!("boot-3.3.0-mbeanregistry.om"));
    only(found, "workers-max-unknown", "3.3.1");
    let upstream = upstream(ACTUATOR);
    let told = told(&upstream, actuator!("boot-3.3.0-mbeanregistry.om"));
    assert_eq!((told.reading.busy, told.reading.max), (Some(1.0), None));
}

#[test]
fn virtual_threads_have_no_worker_count() {
    let found = about(ACTUATOR, actuator!("boot-3.2-virtual-threads.txt"));
    only(found, "workers-unreadable", "workers_max: N");
}

#[test]
fn servers_other_than_tomcat_are_recognised() {
    let jetty = about(ACTUATOR, actuator!("boot-3.2-jetty.txt"));
    only(jetty, "series-of-jetty", "busy: jetty_threads_busy, max: jetty_threads_config_max");
    let followed = "signals: { source: actuator, workers: { busy: jetty_threads_busy, max: jetty_threads_config_max } }";
    assert_eq!(about(followed, actuator!("boot-3.2-jetty.txt")), []);
    for text in [actuator!("boot-3.2-undertow.txt"), actuator!("boot-3.2-netty.om")] {
        only(about(ACTUATOR, text), "no-worker-pool", "workers_max: N");
    }
}

#[test]
fn a_name_that_is_not_there_comes_with_those_that_are() {
    let misspelt = "signals: { source: prometheus, path: /m, workers: { busy: worker_bussy, max: worker_max } }";
    let text = "worker_busy 3\nworker_max 8\ngo_threads 9\n";
    only(about(misspelt, text), "series-missing", "did you mean `worker_busy`");
    let both = "signals: { source: prometheus, path: /m, workers: { busy: workers_busy, max: workers_max } }";
    only(about(both, text), "series-missing", "`worker_busy` or `worker_max`");
    let cpu = "signals: { source: prometheus, path: /m, cpu: cpu_usage }";
    only(about(cpu, "process_cpu_usage 0.1\n"), "series-missing", "`process_cpu_usage`");
    only(about(cpu, "up 1\n"), "series-missing", "name a series that is there under `cpu`");
}

#[test]
fn values_that_mean_nothing_are_told_apart() {
    let cpu = "signals: { source: prometheus, path: /m, cpu: cpu_usage }";
    for value in ["-1", "NaN", "+Inf"] {
        only(about(cpu, &format!("cpu_usage {value}\n")), "value-unknown", "process_cpu_usage");
    }
    only(about(cpu, "cpu_usage 37.5\n"), "cpu-not-a-share", "from 0 to 1");
    only(about(cpu, "# TYPE cpu_usage counter\ncpu_usage 0.5\n"), "series-is-a-counter", "gauge");
    assert_eq!(about(cpu, "cpu_usage 1.02\n"), [], "a burst");

    let workers = "signals: { source: prometheus, path: /m, workers: { busy: b, max: m } }";
    only(about(workers, "b 1\nm 0\n"), "workers-max-unknown", "workers_max: N");
    // Micrometer's `executor_pool_max_threads` of a pool without a bound.
    only(about(workers, "b 1\nm 2.147483647E9\n"), "workers-max-unknown", "workers_max: N");
    only(about(workers, "b -1\nm 20\n"), "value-unknown", "workers_max: N");
    assert_eq!(about(workers, "b 0\nm 20\n"), []);
}

#[test]
fn a_scrape_that_gave_nothing_says_why() {
    let upstream = upstream(ACTUATOR);
    let status = |status| ScrapeError::Status(http::StatusCode::from_u16(status).unwrap());
    let moved =
        ScrapeError::Redirect { status: http::StatusCode::FOUND, location: "/login".into() };
    for (error, id, seen, remedy) in [
        (status(401), "login-needed", "401", "permitAll"),
        (status(403), "login-needed", "403", "permitAll"),
        (status(404), "path-unknown", "404", "management.endpoints.web.exposure.include"),
        (status(400), "not-http", "400", "https://"),
        (status(500), "status-unusable", "500", "log"),
        (moved, "redirected", "/login", "path: /actuator/prometheus"),
        (
            ScrapeError::ContentType("text/html".into()),
            "not-metrics",
            "text/html",
            "Prometheus text",
        ),
        (ScrapeError::Compressed("gzip".into()), "compressed", "gzip", "compress only"),
        (ScrapeError::TooLarge, "answer-too-large", "4194304", "4 MiB"),
        (ScrapeError::Timeout, "answer-too-slow", "in time", "every"),
        (ScrapeError::Text(TextError::Partial), "answer-cut-off", "cut off", "proxy"),
        (ScrapeError::Text(TextError::Malformed), "text-malformed", "malformed", "0.0.4"),
    ] {
        let found = findings(&upstream, [Err(error)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].id, found[0].severity), (id, Severity::Error));
        assert!(found[0].seen.contains(seen), "{found:?}");
        assert!(found[0].remedy.contains(remedy), "{found:?}");
        assert!(found[0].meanwhile.contains("on_stale"), "{found:?}");
    }
}

#[test]
fn one_lost_scrape_is_no_finding_and_one_good_one_no_cure() {
    let upstream = upstream(ACTUATOR);
    let well = || Ok(told(&upstream, actuator!("boot-3.2-mbeanregistry.txt")));
    let lost = || Err(ScrapeError::Timeout);
    let count = |outcomes: Vec<Outcome>| findings(&upstream, outcomes).len();
    assert_eq!(count(vec![lost()]), 1, "there is nothing else to go by");
    assert_eq!(count(vec![well(), lost()]), 0);
    assert_eq!(count(vec![well(), well(), well(), lost()]), 0);
    assert_eq!(count(vec![well(), lost(), lost()]), 1);
    assert_eq!(count(vec![lost(), lost(), lost(), well(), well()]), 1);
    assert_eq!(count(vec![lost(), lost(), lost(), well(), well(), well()]), 0);
}

fn at(busy: f64, cpu: f64, own: u32) -> Told {
    let reading =
        Reading { busy: Some(busy), max: Some(200.0), cpu: Some(cpu), own_in_flight: Some(own) };
    Told {
        reading,
        busy: Seen::Value(busy),
        max: Seen::Value(200.0),
        cpu: Seen::Value(cpu),
        ..Told::default()
    }
}

#[test]
fn a_value_that_stands_still_while_calls_come_and_go_is_frozen() {
    let upstream = upstream(ACTUATOR);
    let moving = |n: u32| 0.3 + f64::from(n) / 1000.0;
    let frozen = findings(&upstream, (0..25).map(|n| Ok(at(7.0, moving(n), n % 10))));
    assert_eq!(frozen.len(), 1, "{frozen:?}");
    assert_eq!((frozen[0].id, frozen[0].signal), ("signal-frozen", Some("workers")));
    assert_eq!(frozen[0].severity, Severity::Warning);
    assert!(frozen[0].seen.contains("between 0 and 9"), "{frozen:?}");
    let frozen = findings(&upstream, (0..25).map(|n| Ok(at(f64::from(n), 0.3, n % 10))));
    assert_eq!((frozen[0].id, frozen[0].signal), ("signal-frozen", Some("cpu")));

    let idle = findings(&upstream, (0..100).map(|n| Ok(at(7.0, moving(n), 1))));
    assert_eq!(idle, [], "nothing of ours changed");
    let full = findings(&upstream, (0..100).map(|n| Ok(at(200.0, 1.0, n % 50))));
    assert_eq!(full, [], "a full pool and a full machine stand still");
    let short = findings(&upstream, (0..19).map(|n| Ok(at(7.0, moving(n), n % 10))));
    assert_eq!(short, [], "too early to say");
}

#[test]
fn cpu_that_is_somebody_elses_is_told() {
    let upstream = upstream(ACTUATOR);
    let outcome = |system: f64, process: f64, n: u32| {
        let told = at(f64::from(n), system + f64::from(n) / 1e4, n);
        Ok(Told { process_cpu: Some(process), ..told })
    };
    let found = findings(&upstream, (0..12).map(|n| outcome(0.9, 0.02, n)));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].id, found[0].severity), ("cpu-of-the-host", Severity::Warning));
    assert!(found[0].remedy.contains("cpu: process_cpu_usage"), "{found:?}");
    assert_eq!(findings(&upstream, (0..30).map(|n| outcome(0.9, 0.8, n))), []);
    assert_eq!(findings(&upstream, (0..30).map(|n| outcome(0.2, 0.0, n))), []);
}

#[test]
fn another_number_of_workers_than_the_policy_says_is_worth_knowing() {
    let [other, same] =
        [100, 200].map(|n| upstream(&format!("signals: {{ source: actuator }}, workers_max: {n}")));
    let found = findings(&other, [Ok(at(1.0, 0.5, 0))]);
    assert_eq!((found[0].id, found[0].severity), ("workers-max-differs", Severity::Info));
    assert_eq!(found[0].remedy, "write `workers_max: 200`");
    assert_eq!(findings(&same, [Ok(at(1.0, 0.5, 0))]), []);
}

#[test]
fn orca_is_missed_after_a_hundred_calls() {
    let upstream = upstream("signals: { source: orca }");
    let found = |answered, heard| {
        let mut chart = Chart::default();
        chart.note_orca(answered, heard);
        chart.findings(&upstream, &upstream.endpoints[0])
    };
    assert_eq!(found(ORCA_CALLS_MIN - 1, false), []);
    assert_eq!(found(1_000_000, true), []);
    let missed = found(ORCA_CALLS_MIN, false);
    assert_eq!(missed[0].id, "orca-never-seen");
    assert!(missed[0].remedy.contains("endpoint-load-metrics"), "{missed:?}");
}

#[test]
fn what_is_kept_is_bounded() {
    let upstream = upstream(ACTUATOR);
    let mut chart = Chart::default();
    for n in 0..1_000 {
        chart.note(&upstream, &Err(ScrapeError::Timeout));
        chart.note(&upstream, &Ok(at(7.0, 0.5, n % 9)));
    }
    assert_eq!(chart.kept.len(), KEPT_MAX);
    assert!(chart.kept.iter().all(|symptoms| symptoms.len() <= SYMPTOMS_MAX));
}
