use super::*;

/// The ground with one route whose lines are given; they begin at line 10.
fn route(lines: &str) -> String {
    format!("{GROUND}routes:\n  r:\n{lines}\n")
}

#[test]
fn files_that_are_no_policy() {
    assert_table(&[
        ("", &["1:1: the file is empty | start it with `version: 1`, or delete it"]),
        ("# only words\n", &["1:1: the file is empty…"]),
        ("~\n", &["1:1: a policy file is a mapping, this is nothing…"]),
        ("- a\n- b\n", &["1:1: a policy file is a mapping, this is a list…"]),
        ("12\n", &["1:1: a policy file is a mapping, this is a number…"]),
        ("a: b: c\n", &["1:5: this is not YAML: mapping values are not allowed…"]),
        ("version: 1\nroutes: {\n", &["2:9: this is not YAML…"]),
        (
            "version: 1\n\troutes: a\n",
            &[
                "2:1: this is not YAML: a tab indents the line | indent with spaces, never with tabs",
            ],
        ),
        ("version: 'x", &["1:10: this is not YAML: unclosed quote | close the quote"]),
        ("version: *v\n", &["1:10: this is not YAML: while parsing node, found unknown anchor…"]),
        ("version: 1\n---\nversion: 1\n", &["2:1: a policy file is one YAML document…"]),
        ("%YAML 1.2\n---\nversion: 1\n", &["1:1: this is not YAML…"]),
    ]);
}

#[test]
fn the_file_itself() {
    assert_table(&[
        ("version: 2\n", &["1:10: `version` is `2`, it must be 1 | write `1`"]),
        ("version: one\n", &["1:10: `version` must be a whole number, this is `one`…"]),
        ("version: 1.0\n", &["1:10: `version` must be a whole number…"]),
        (
            "version: '1'\n",
            &["1:10: `version` must be a whole number, this is the text `1` | write `1`"],
        ),
        ("version:\n", &["1:1: `version` has no value…"]),
        ("routes: {}\n", &["1:1: a policy file needs `version` | add `version: 1`"]),
        ("version: 1\n", &["1:1: the policy has no routes…"]),
        ("version: 1\nroutes:\n", &["2:1: `routes` has no value…"]),
        ("version: 1\nroutes: [a]\n", &["2:9: `routes` maps names to routes…"]),
        (
            "version: 1\nroute: {}\n",
            &["2:1: a policy file has no key `route` | did you mean `routes`?"],
        ),
        (
            "version: 1\nsomething: {}\n",
            &["2:1: a policy file has no key `something` | its keys are `version`, `pool`, \
               `upstreams`, `functions`, `routes`"],
        ),
        (
            "version: 1\nversion: 1\n",
            &["2:1: `version` is written twice; the first is at t.yaml:1:1 | keep one…"],
        ),
        ("version: 1\n? [a]\n: b\n", &["2:3: a key is a name, not a list or mapping…"]),
        ("version: 1\n~: b\n", &["2:1: a key is missing before the colon…"]),
        ("version: 1\n<<: {}\n", &["2:1: merge keys (`<<`) are not part of YAML 1.2…"]),
        (
            "version: 1\nroutes\u{200b}: {}\n",
            &["2:1: a policy file has no key `routes<U+200B>` | did you mean `routes`?"],
        ),
        (
            "version: 1\nr\u{43e}utes: {}\n",
            &[
                "2:1: a policy file has no key `r\u{43e}utes`, with the letter `\u{43e}` (U+043E) | did \
               you mean `routes`?",
            ],
        ),
        ("version: !mine 1\n", &["1:16: tags have no meaning in a policy…"]),
    ]);
}

#[test]
fn pool_and_functions() {
    let pool = |text: &str| format!("version: 1\npool: {text}\nroutes: {{}}\n");
    for (text, problem) in [
        ("5", "2:7: `pool` is a mapping, this is a number…"),
        ("{ total: 0 }", "2:16: `total` is `0`, out of range | write 1 to 1000000"),
        ("{ total: -5 }", "2:16: `total` is `-5`, out of range…"),
        ("{ total: 99999999999 }", "2:16: `total` is `99999999999`, out of range…"),
        ("{ total: 1_000 }", "2:16: `total` must be a whole number…"),
        ("{ total: 10, unreserved_min: 11 }", "2:36: `unreserved_min` is 11, more than the…"),
        ("{ totl: 5 }", "2:9: `pool` has no key `totl` | did you mean `total`?"),
    ] {
        assert_table(&[(&pool(text), &[problem])]);
    }
    let functions = |text: &str| {
        format!("version: 1\nupstreams:\n  up: {{ endpoints: [http://a] }}\nfunctions:\n{text}\n")
    };
    for (text, problems) in [
        ("  f: { upstream: uq }", &["5:18: there is no upstream `uq` | did you mean `up`?"][..]),
        ("  f: { upstream: other }", &["5:18: there is no upstream `other` | define it under…"]),
        ("  f: {}", &["5:3: a function needs `upstream`…"]),
        ("  f:", &["5:3: a function is a mapping, this is nothing…"]),
        ("  f: { upstream: up, reserved: x }", &["5:32: `reserved` must be a whole number…"]),
        (
            "  f: { upstream: up, reserved: 901 }",
            &["5:32: the reservations add up to 901; of the pool's 1000, at least 100 stay \
               unreserved, so 900 can be reserved | reserve 1 less, or raise the pool's `total`"],
        ),
        (
            "  g: { upstream: up, reserved: 500 }\n  f: { upstream: up, reserved: 500 }",
            &["6:32: the reservations add up to 1000; of the pool's 1000…"],
        ),
        ("  F F: { upstream: up }", &["5:3: `F F` cannot be a name…"]),
    ] {
        assert_table(&[(&functions(text), problems)]);
    }
}

#[test]
fn upstreams() {
    let upstream = |text: &str| format!("version: 1\nupstreams:\n  up:\n    {text}\n");
    let good = "endpoints: [http://a]\n    ";
    for (text, problems) in [
        ("workers_max: 5", &["3:3: an upstream needs `endpoints`…"][..]),
        ("endpoints: []", &["4:5: `endpoints` has 0 entries; it may have 1 to 256…"]),
        ("endpoints: http://a", &["4:16: `endpoints` must be a list…"]),
        ("endpoints: [[]]", &["4:17: `endpoints` must be text, this is a list…"]),
        ("endpoints: [http://a, ftp://b]", &["4:27: `ftp://b` is neither http nor https…"]),
        (
            "endpoints: [http://a, http://A:80]",
            &["4:27: http://a:80 is listed twice; the first is at t.yaml:4:17…"],
        ),
        (
            "endpoints:\n      - http://0x7f.1\n      - http://169.254.169.254\n      - 127.0.0.1:80",
            &[
                "5:9: `http://0x7f.1` has an odd spelling…",
                "6:9: `http://169.254.169.254` is a link-local…",
                "7:9: `127.0.0.1:80` has no scheme | write `http://127.0.0.1:80`",
            ],
        ),
        ("endpoints: [http://a]\n    protocol: http3", &["5:15: `http3` is no `protocol` | did…"]),
        ("endpoints: [http://a]\n    protocol: [a]", &["5:15: `protocol` must be a word…"]),
        ("endpoints: [http://a]\n    workers_max: 0", &["5:18: `workers_max` is `0`, out of…"]),
        (
            "endpoints: [http://a]\n    timeout: { connect: 2h, response: 5 }",
            &[
                "5:25: `connect` is `2h`, out of range | write 1ms to 1m",
                "5:39: `5` is not a duration | add a unit: `5s` or `5ms`",
            ],
        ),
    ] {
        assert_table(&[(&upstream(text), problems)]);
    }
    for (text, problems) in [
        ("{ source: promtheus }", &["5:24: `promtheus` is no `source` | did you mean `prom…"][..]),
        (
            "{ source: prometheus }",
            &[
                "5:5: the source `prometheus` needs a `path`…",
                "5:5: the source `prometheus` reads no series…",
            ],
        ),
        ("{ path: /metrics }", &["5:16: `path` has no effect with the source `none`…"]),
        ("{ source: none, cpu: x }", &["5:30: `cpu` has no effect with the source `none`…"]),
        ("{ source: orca, path: /x }", &["5:30: `path` has no effect with the source `orca`…"]),
        ("{ source: actuator, path: x }", &["5:40: `x` is no path…"]),
        ("{ source: actuator, every: 50ms }", &["5:41: `every` is `50ms`, out of range…"]),
        ("{ source: actuator, cpu: 'a{b}' }", &["5:39: `a{b}` is no name of a series…"]),
        ("{ source: actuator, workers: { busy: b } }", &["5:34: `workers` needs `max`…"]),
    ] {
        assert_table(&[(&upstream(&format!("{good}signals: {text}")), problems)]);
    }
}

#[test]
fn matches_and_targets() {
    for (lines, problems) in [
        ("    upstream: up", &["9:3: a route needs `match`…"][..]),
        ("    match: { path: /a }", &["9:3: a route needs `function` or `upstream`…"]),
        (
            "    match: { path: /a }\n    upstream: up\n    function: fun",
            &["12:5: a route has `function` or `upstream`, not both | remove `function` or…"],
        ),
        (
            "    match: { path: /a }\n    upstream: fun",
            &["11:15: `fun` is a function, no upstream | write `function: fun`"],
        ),
        (
            "    match: { path: /a }\n    function: funn",
            &["11:15: there is no function `funn` | did you mean `fun`?"],
        ),
        ("    match: {}\n    upstream: up", &["10:5: `match` needs `path`…"]),
        ("    match: { path: a }\n    upstream: up", &["10:20: `a` is no path…"]),
        ("    match: { path: /a/**/b }\n    upstream: up", &["10:20: `/a/**/b` has `**` before…"]),
        (
            "    match: { path: /a, methods: [get, GET, GET, TRACE] }\n    upstream: up",
            &[
                "10:34: `get` is no method | did you mean `GET`?",
                "10:44: `GET` is listed twice…",
                "10:49: the gateway refuses TRACE on every route | remove it",
            ],
        ),
        ("    match: { path: /a, methods: [] }\n    upstream: up", &["10:24: `methods` has 0…"]),
        ("    match: { path: /a, host: 'a:80' }\n    upstream: up", &["10:30: `a:80` has a port…"]),
        (
            "    match: { path: /a, headers: { host: a, x_y: b, x-a: 'ü', x-b: 1, X-B: 2 } }\n    \
             upstream: up",
            &[
                "10:41: the host is no header condition…",
                "10:44: `x_y` is no header name the gateway passes on…",
                "10:57: `ü` cannot be a header's value…",
                "10:75: the header `x-b` is listed twice…",
            ],
        ),
        (
            "    match: { path: /a }\n    upstream: up\n    websocket: yes\n    strict_path: 0",
            &[
                "12:16: `websocket` must be a truth value, this is `yes` | write `true` or `false`",
                "13:18: `strict_path` must be a truth value, this is `0`…",
            ],
        ),
        ("    [a]", &["10:5: a route is a mapping, this is a list…"]),
    ] {
        assert_table(&[(&route(lines), problems)]);
    }
}

#[test]
fn two_routes_for_the_same_calls() {
    for (other, problems) in [
        (
            "match: { path: /a, methods: [GET] }",
            &["12:5: the routes `r` and `s` both take GET /a | change the method, path, host or \
               headers of one; `r` is at t.yaml:10:5"][..],
        ),
        ("match: { path: /a, methods: [PUT, HEAD, GET] }", &["12:5: the routes `r` and `s` both…"]),
        ("match: { path: /a, methods: [PUT] }", &[]),
        ("match: { path: /a }", &[]),
        ("match: { path: /a, methods: [GET], host: b }", &[]),
        ("match: { path: /a, methods: [GET], headers: { x: y } }", &[]),
        ("match: { path: /a/, methods: [GET] }", &[]),
        ("match: { path: /A, methods: [GET] }", &[]),
    ] {
        let text = format!(
            "{GROUND}routes:\n  r:\n    match: {{ path: /a, methods: [GET, HEAD] }}\n  s:\n    {other}\n"
        );
        let text = text.replace("HEAD] }\n", "HEAD] }\n    upstream: up\n");
        let text = text + "    upstream: up\n";
        let shifted: Vec<_> = problems.iter().map(|p| p.replacen("12:", "13:", 1)).collect();
        let shifted: Vec<_> = shifted.iter().map(String::as_str).collect();
        assert_table(&[(&text, &shifted)]);
    }
}

#[test]
fn headers_in_another_order_are_the_same_calls() {
    let both = |first: &str, second: &str| {
        let lines = format!(
            "    match: {{ path: /a, headers: {first} }}\n    upstream: up\n  s:\n    \
             match: {{ path: /a, headers: {second} }}\n    upstream: up"
        );
        problems_of(&route(&lines)).len()
    };
    assert_eq!(both("{ x: a, y: b }", "{ Y: b, X: a }"), 1);
    assert_eq!(both("{ x: a, y: b }", "{ x: b, y: a }"), 0);
    assert_eq!(both("{ x: 'a and y: b' }", "{ x: a, y: b }"), 0);
}

#[test]
fn thresholds() {
    let batch = |admission: &str| {
        route(&format!(
            "    match: {{ path: /a }}\n    upstream: up\n    class: batch\n    admission: {admission}"
        ))
    };
    for (admission, problems) in [
        ("{}", &["13:5: `admission` has no threshold…"][..]),
        (
            "{ mode: shdow, rps: { limit: 1 } }",
            &["13:24: `shdow` is no `mode` | did you mean `sh…"],
        ),
        ("{ rps: {} }", &["13:18: `rps` needs `limit`…"]),
        (
            "{ rps: { limit: 0 } }",
            &["13:32: `limit` is `0`, out of range | write 0.001 to 1000000"],
        ),
        ("{ rps: { limit: -1 } }", &["13:32: `limit` is `-1`, out of range…"]),
        ("{ rps: { limit: .inf } }", &["13:32: `limit` must be a number, this is `.inf`…"]),
        ("{ rps: { limit: 1e9 } }", &["13:32: `limit` must be a number, this is `1e9`…"]),
        ("{ rps: { limit: 5, burst: 0 } }", &["13:42: `burst` is `0`, out of range…"]),
        (
            "{ rps: { limit: 5, per: calller } }",
            &["13:40: `calller` is no `per` | did you mean `caller`?"],
        ),
        ("{ rps: { limit: 5, per: caller } }", &[]),
        ("{ workers: { exit: 5% } }", &["13:18: `workers` needs `enter`…"]),
        (
            "{ workers: { enter: 70%, exit: 75% } }",
            &["13:47: `exit` is 75%, over `enter` at 70% | write at most `70%`"],
        ),
        (
            "{ workers: { enter: 85%, full: 80% } }",
            &["13:47: `full` is 80%, under `enter` at 85% | write at least `85%`"],
        ),
        ("{ workers: { enter: 85%, wait: 1s } }", &["13:47: `wait` is `1s`, out of range…"]),
        (
            "{ workers: { enter: 0% } }",
            &["13:36: `enter` is `0%`, out of range | write 1% to 100%"],
        ),
        ("{ workers: { enter: 0.85 } }", &["13:36: `0.85` is not a percentage | write `85%`"]),
        ("{ workers: { enter: 101% } }", &["13:36: `101%` is not a percentage…"]),
        (
            "{ cpu: { enter: 80% } }",
            &["13:18: nothing tells the CPU of the upstream `up` | give the upstream `signals`…"],
        ),
        ("{ cpu: { of: gateway, enter: 80% } }", &[]),
        ("{ workers: { enter: 80% }, on_stale: close }", &["13:53: `close` is no `on_stale`…"]),
    ] {
        assert_table(&[(&batch(admission), problems)]);
    }
    let interactive = "    match: { path: /a }\n    upstream: up\n    admission:\n      mode: off\n      \
                       workers: { enter: 80% }\n      rps: { limit: 5 }";
    assert_table(&[(
        &route(interactive),
        &["14:7: the route `r` is interactive, and interactive calls are never shed…"],
    )]);
    let unread = route(
        "    match: { path: /a }\n    upstream: up\n    class: bulk\n    admission: { workers: { enter: 80% } }",
    );
    assert_table(&[
        (&unread, &[]),
        (
            &unread.replace("    workers_max: 20\n", ""),
            &["12:18: nothing tells the workers of the upstream `up`…"],
        ),
    ]);
}

#[test]
fn a_mistake_in_an_upstream_is_no_second_one_in_its_routes() {
    let text = route(
        "    match: { path: /a }\n    upstream: up\n    class: bulk\n    admission: { cpu: { enter: 80% } }",
    );
    for (bad, problem) in [
        ("signal: { source: actuator }", "6:5: an upstream has no key `signal`…"),
        ("signals: { source: actuatr }", "6:24: `actuatr` is no `source`…"),
        ("signals: actuator", "6:14: `signals` is a mapping, this is text…"),
    ] {
        let text = text.replace("workers_max: 20\n", &format!("workers_max: 20\n    {bad}\n"));
        assert_table(&[(&text, &[problem])]);
    }
}

#[test]
fn caches() {
    let cached = |cache: &str| {
        route(&format!("    match: {{ path: /a }}\n    upstream: up\n    cache: {cache}"))
    };
    for (cache, problems) in [
        ("", &["12:5: `cache` has no value…"][..]),
        ("true", &["12:12: `cache` is a mapping…"]),
        ("{ fresh_for: 0s }", &["12:25: `fresh_for` is `0s`, out of range…"]),
        ("{ fresh_for: -1s }", &["12:25: `-1s` is not a duration…"]),
        ("{ max_object: 65MiB }", &["12:26: `max_object` is `65MiB`, out of range…"]),
        ("{ max_object: 1MB }", &["12:26: `1MB` is not a size | write `1MiB`"]),
        ("{ heuristic: 0% }", &["12:25: `heuristic` is `0%`, out of range…"]),
        ("{ heuristic: 200% }", &["12:25: `200%` is not a percentage…"]),
        ("{ stale_if_shed: 0s }", &["12:29: `stale_if_shed` is `0s`, out of range…"]),
        ("{ stale_if_error: 9000h }", &["12:30: `stale_if_error` is `9000h`, out of range…"]),
        ("{ stale_while_revalidate: 1 }", &["12:38: `1` is not a duration…"]),
        (
            "{ key: { headers: [accept, Accept, 'a b'] } }",
            &[
                "12:39: the header `accept` is listed twice…",
                "12:47: `a b` is no header name the gateway passes on…",
            ],
        ),
        (
            "{ key: { query: { drop: [a, 'utm_*', a], sort: 1 } } }",
            &[
                "12:40: `utm_*` is no name of a parameter…",
                "12:49: `a` is listed twice…",
                "12:59: `sort` must be a truth value…",
            ],
        ),
        ("{ key: { query: [a] } }", &["12:28: `query` is a mapping, this is a list…"]),
    ] {
        assert_table(&[(&cached(cache), problems)]);
    }
    assert_table(&[(
        &route("    match: { path: /a, methods: [POST] }\n    upstream: up\n    cache: {}"),
        &["12:5: only GET and HEAD are cached, and this route takes neither…"],
    )]);
}

#[test]
fn a_misspelt_key_is_one_problem() {
    for (lines, problem) in [
        ("    match: { pth: /a }\n    upstream: up", "10:14: `match` has no key `pth` | did you…"),
        (
            "    macth: { path: /a }\n    upstream: up",
            "10:5: a route has no key `macth` | did you…",
        ),
        (
            "    match: { path: /a }\n    upstrem: up",
            "11:5: a route has no key `upstrem` | did you…",
        ),
        (
            "    match: { path: /a }\n    upstream: up\n    class: bulk\n    admission: { rsp: { limit: 1 } }",
            "13:18: `admission` has no key `rsp` | did you mean `rps`?",
        ),
        (
            "    match: { path: /a }\n    upstream: up\n    class: bulk\n    admission: { rps: { limt: 1 } }",
            "13:25: `rps` has no key `limt` | did you mean `limit`?",
        ),
    ] {
        assert_table(&[(&route(lines), &[problem])]);
    }
}

#[test]
fn the_remedy_is_what_was_probably_meant() {
    for (lines, problem) in [
        (
            "    match: { path: '*' }\n    upstream: up",
            "10:20: `*` is no path | write `/**` for every path",
        ),
        (
            "    match: { path: '/a/{id}' }\n    upstream: up",
            "10:20: `/a/{id}` has a named segment | write `*` for one segment; it needs no name",
        ),
        (
            "    match: { path: /a, methods: GET }\n    upstream: up",
            "10:33: `methods` must be a list, this is `GET` | write it in brackets, for example `[GET]`",
        ),
        (
            "    match: { path: /a, host: 'http://a' }\n    upstream: up",
            "10:30: `http://a` is a URL | write the host only; a route is the same for every scheme",
        ),
        (
            "    match: { path: /a }\n    upstream: up\n    websocket: 'true'",
            "12:16: `websocket` must be a truth value, this is the text `true` | write `true` or `false`",
        ),
    ] {
        assert_table(&[(&route(lines), &[problem])]);
    }
    let endpoint = |url: &str| format!("version: 1\nupstreams:\n  up: {{ endpoints: [{url}] }}\n");
    assert_table(&[
        (
            &endpoint("'http://::1:80'"),
            &["3:21: `http://::1:80` has more than one colon | write an IPv6 address in brackets…"],
        ),
        (
            &endpoint("http://me:hidden@a"),
            &["3:21: an endpoint carries a user name | remove everything up to the `@`"],
        ),
    ]);
}

#[test]
fn a_problem_does_not_hide_the_next() {
    let text = "\
version: 2
pool: five
upstreams:
  up:
    endpoints: [ftp://a]
    wokers_max: 5
functions:
  fun: { upstream: down, reserved: many }
routes:
  r:
    match: { path: a }
    function: fnu
    class: lazy
    cache: { fresh_for: soon }
";
    let lines: Vec<_> = check_one(text).1.iter().map(|p| p.line).collect();
    assert_eq!(lines, [1, 2, 5, 6, 8, 8, 11, 12, 13, 14]);
}

#[test]
fn columns_count_characters() {
    let text =
        format!("{GROUND}routes:\n  r: {{ match: {{ path: /a }}, upstream: \"ü\", fu: 1 }}\n");
    let found = problems_of(&text);
    assert_eq!(found[0].split(' ').next(), Some("9:39:"), "{found:#?}");
    assert_eq!(found[1].split(' ').next(), Some("9:44:"), "{found:#?}");
}
