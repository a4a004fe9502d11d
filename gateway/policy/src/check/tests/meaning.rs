use std::time::Duration;

use http::Method;

use super::meant;
use crate::policy::*;

/// Every key of the format that is built.
pub(super) const EVERYTHING: &str = "\
version: 1
pool: { total: 500, unreserved_min: 50 }
upstreams:
  mailbox:
    endpoints: [http://127.0.0.1:9101, 'https://[::1]:9102', http://mail.internal]
    protocol: http2
    timeout: { connect: 250ms, response: 2m }
    signals:
      source: prometheus
      path: /metrics?a=b
      every: 2s
      workers: { busy: pool_busy, max: pool_max }
      cpu: process_cpu
    workers_max: 200
functions:
  receive: { upstream: mailbox, reserved: 300 }
  shared: { upstream: mailbox }
routes:
  all:
    match:
      methods: [POST, PURGE]
      path: /mail/*/x/**
      host: '*.Example.internal'
      headers: { X-Tenant: a b }
    function: receive
    class: bulk
    admission:
      mode: shadow
      rps: { limit: 0.5, burst: 3, per: route }
      cpu: { of: gateway, enter: 80%, exit: 12.5% }
      workers: { enter: 85%, exit: 85% }
      on_stale: closed
    websocket: true
    strict_path: false
  list:
    match: { path: /list }
    upstream: mailbox
    cache:
      fresh_for: 1h
      heuristic: 12.5%
      stale_while_revalidate: 5s
      stale_if_error: 2h
      stale_if_shed: 1m
      max_object: 64KiB
      key: { headers: [Accept], query: { drop: [a, b], sort: true } }
      require_public: true
      store_set_cookie: true
";

fn percent(text: &str) -> crate::units::Percent {
    crate::units::Percent::parse(text).expect(text)
}

#[test]
fn what_is_written_is_what_is_meant() {
    let policy = meant(EVERYTHING);
    assert_eq!(policy.pool, Pool { total: 500, unreserved_min: 50 });
    let mailbox = &policy.upstreams["mailbox"];
    let shown: Vec<_> = mailbox.endpoints.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["http://127.0.0.1:9101", "https://[::1]:9102", "http://mail.internal:80"]);
    assert_eq!(mailbox.protocol, Protocol::Http2);
    assert_eq!(mailbox.timeout.connect, Duration::from_millis(250));
    assert_eq!(mailbox.timeout.response, Duration::from_mins(2));
    assert_eq!(mailbox.workers_max, Some(200));
    assert_eq!(
        mailbox.signals,
        Some(Signals {
            source: Source::Prometheus,
            path: "/metrics?a=b".to_owned(),
            every: Duration::from_secs(2),
            workers: Some(WorkerSeries { busy: "pool_busy".into(), max: "pool_max".into() }),
            cpu: Some("process_cpu".to_owned()),
        })
    );
    assert_eq!(policy.functions["receive"].reserved, Some(300));
    assert_eq!(policy.functions["shared"].reserved, None);
    let all = &policy.routes["all"];
    assert_eq!(all.origin.line, 19);
    assert_eq!(all.matcher.methods, [Method::POST, Method::from_bytes(b"PURGE").expect("a token")]);
    assert_eq!(
        all.matcher.to_string(),
        "POST, PURGE *.example.internal/mail/*/x/** with x-tenant: a b"
    );
    assert_eq!(all.target.function().map(crate::units::Name::as_str), Some("receive"));
    assert_eq!(all.class, Class::Bulk);
    assert_eq!(
        all.admission,
        Some(Admission {
            mode: Mode::Shadow,
            rps: Some(Rps { limit: 0.5, burst: 3, per: Per::Route }),
            cpu: Some(Cpu {
                of: CpuOf::Gateway,
                bounds: Hysteresis { enter: percent("80%"), exit: percent("12.5%") }
            }),
            workers: Some(Workers {
                bounds: Hysteresis { enter: percent("85%"), exit: percent("85%") },
                full: percent("85%"),
                wait: None
            }),
            on_stale: OnStale::Closed,
        })
    );
    assert_eq!((all.websocket, all.strict_path), (true, false));
    let list = &policy.routes["list"];
    assert_eq!(list.matcher.methods, Vec::<Method>::new());
    assert_eq!(
        list.cache,
        Some(Cache {
            fresh_for: Some(Duration::from_hours(1)),
            heuristic: Some(percent("12.5%")),
            stale_while_revalidate: Some(Duration::from_secs(5)),
            stale_if_error: Some(Duration::from_hours(2)),
            stale_if_shed: Some(Duration::from_mins(1)),
            object_bytes_max: 64 << 10,
            key: CacheKey {
                headers: vec![http::header::ACCEPT],
                query_drop: vec!["a".into(), "b".into()],
                query_sort: true,
            },
            store_set_cookie: true,
            require_public: true,
        })
    );
}

#[test]
fn what_is_not_written_has_its_default() {
    let policy = meant(
        "\
version: 1
upstreams:
  up: { endpoints: [http://a], signals: { source: actuator } }
  headers: { endpoints: [http://b], signals: { source: orca } }
  plain: { endpoints: [http://c], signals: {} }
routes:
  r: { match: { path: / }, upstream: up, cache: {} }
  s:
    match: { path: /s }
    upstream: headers
    class: default
    admission: { rps: { limit: 2.5, per: caller }, workers: { enter: 80% }, cpu: { enter: 5% } }
",
    );
    assert_eq!(policy.pool, Pool { total: 1000, unreserved_min: 100 });
    let up = &policy.upstreams["up"];
    assert_eq!((up.protocol, up.timeout, up.workers_max), Default::default());
    let signals = up.signals.as_ref().expect("actuator");
    assert_eq!(signals.path, "/actuator/prometheus");
    assert_eq!(signals.every, Duration::from_secs(1));
    assert_eq!(signals.workers.as_ref().expect("has").busy, "tomcat_threads_busy_threads");
    assert_eq!(signals.workers.as_ref().expect("has").max, "tomcat_threads_config_max_threads");
    assert_eq!(signals.cpu.as_deref(), Some("system_cpu_usage"));
    assert_eq!(policy.upstreams["headers"].signals.as_ref().expect("orca").source, Source::Orca);
    assert_eq!(policy.upstreams["plain"].signals, None);
    let r = &policy.routes["r"];
    assert_eq!((r.class, r.websocket, r.strict_path), (Class::Interactive, false, true));
    assert_eq!(r.cache.as_ref().expect("on").object_bytes_max, 1 << 20);
    assert_eq!(r.cache.as_ref().expect("on").fresh_for, None);
    let s = policy.routes["s"].admission.as_ref().expect("has thresholds");
    assert_eq!(s.rps, Some(Rps { limit: 2.5, burst: 3, per: Per::Caller }));
    assert_eq!(s.workers.expect("has").bounds.exit, percent("70%"));
    assert_eq!(s.cpu.expect("has").bounds.exit, percent("0%"));
    assert_eq!((s.mode, s.on_stale), (Mode::Enforce, OnStale::Proven));
}

#[test]
fn a_small_pool_reserves_nothing_for_nobody() {
    let pool = |text: &str| {
        meant(
            &format!("{EVERYTHING}pool: {text}\n")
                .replacen("pool: { total: 500, unreserved_min: 50 }\n", "", 1)
                .replace("reserved: 300", "reserved: 0"),
        )
        .pool
    };
    assert_eq!(pool("{ total: 40 }"), Pool { total: 40, unreserved_min: 40 });
    assert_eq!(pool("{ unreserved_min: 0 }"), Pool { total: 1000, unreserved_min: 0 });
}

#[test]
fn aliases_and_other_spellings_of_yaml_mean_the_same() {
    let plain = meant(EVERYTHING);
    let dressed = format!(
        "\u{feff}# comment\n--- # one document\n{}...\n",
        EVERYTHING
            .replace("exit: 85% }", "exit: &same \"85%\" }")
            .replace("path: /list", "path: '/list'")
            .replace('\n', "\r\n")
    );
    let dressed = meant(&dressed);
    assert_eq!(crate::diff(&plain, &dressed), Vec::<String>::new());
    let aliased = meant(
        "\
version: 1
upstreams: { up: { endpoints: [http://a], workers_max: 5 } }
routes:
  a:
    match: { path: /a }
    upstream: up
    class: batch
    admission: &gate { workers: { enter: 80% } }
  b: { match: { path: /b }, upstream: up, class: bulk, admission: *gate }
",
    );
    assert_eq!(aliased.routes["a"].admission, aliased.routes["b"].admission);
}

/// The sample of the interface, word for word.
const INTERFACE: &str = "\
version: 1

pool: { total: 1000, unreserved_min: 100 }      # concurrency of the whole gateway

upstreams:
  mailbox:
    endpoints: [http://127.0.0.1:9101, http://127.0.0.1:9102]
    timeout: { connect: 1s, response: 30s }
    signals:
      source: actuator            # actuator | prometheus | orca | none
      path: /actuator/prometheus  # default for actuator
      every: 1s
      workers: { busy: tomcat_threads_busy_threads, max: tomcat_threads_config_max_threads }
      cpu: system_cpu_usage
    workers_max: 200

functions:
  mail-receive: { upstream: mailbox, reserved: 300 }

routes:
  mail-receive:
    match: { methods: [POST], path: /mail/receive/** }
    function: mail-receive
    class: batch
    admission:
      mode: enforce
      rps: { limit: 500, burst: 50, per: route }
      cpu: { of: upstream, enter: 80%, exit: 70% }
      workers: { enter: 85%, exit: 75% }
      on_stale: proven
  mail-list:
    match: { methods: [GET], path: /mail/list/** }
    upstream: mailbox
    cache: { fresh_for: 30s, stale_if_shed: 60s, max_object: 1MiB }
";

#[test]
fn the_sample_of_the_interface_is_a_policy() {
    let policy = meant(INTERFACE);
    assert_eq!((policy.routes.len(), policy.functions.len()), (2, 1));
}

#[test]
fn what_workers_may_be_filled_and_waited_for_is_enter_and_nothing_unless_it_is_said() {
    let policy = |workers: &str| {
        meant(&format!(
            "version: 1
upstreams: {{ a: {{ endpoints: [http://127.0.0.1:1], workers_max: 9 }} }}
routes:
  r:
    match: {{ path: /** }}
    upstream: a
    class: batch
    admission: {{ workers: {workers} }}
"
        ))
    };
    let workers = |text: &str| {
        let policy = policy(text);
        policy.routes["r"].admission.as_ref().and_then(|a| a.workers).expect("has")
    };
    let plain = workers("{ enter: 85% }");
    assert_eq!((plain.full, plain.wait), (percent("85%"), None));
    let more = workers("{ enter: 85%, full: 95%, wait: 20ms }");
    assert_eq!((more.full, more.wait), (percent("95%"), Some(Duration::from_millis(20))));
    assert_eq!(workers("{ enter: 85%, wait: 0s }").wait, None);
}
