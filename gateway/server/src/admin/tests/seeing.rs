//! What the API shows.

use serde_json::json;

use super::*;

#[tokio::test]
async fn status_says_what_runs() {
    let fixture = Fixture::new().await;
    let mut status = fixture.get("/api/v1/status").await.json();
    // What is kept of calls is `recording`'s matter.
    assert!(status.as_object_mut().unwrap().remove("recording").unwrap().is_object());
    let wanted = json!({
        "version": env!("CARGO_PKG_VERSION"), "uptime_s": 5, "ready": true, "reason": null,
        "revision": 1, "policy": {"ok": true, "problems": 0},
        "key_problems": ["callers.api_keys keys:1: a key has no space in it"],
        "stores": {"cache": "memory"},
        "workers": 2, "limits": {"connections": 3, "connections_max": 50_000},
    });
    assert_eq!(status, wanted);
}

#[tokio::test]
async fn a_route_shows_its_figures_and_signals() {
    let fixture = Fixture::new().await;
    let routes = fixture.get("/api/v1/routes").await.json();
    let names: Vec<_> = routes["routes"].as_array().unwrap().iter().map(|r| &r["name"]).collect();
    assert_eq!(names, ["mail-list", "mail-receive"]);

    let route = fixture.get("/api/v1/routes/mail-receive").await.json();
    assert_eq!(route, routes["routes"][1]);
    let mut route = route;
    // The engine's word on the limit is its own tests' matter.
    route.as_object_mut().unwrap().remove("limit").unwrap();
    let signals = route.as_object_mut().unwrap().remove("signals").unwrap();
    assert_eq!(
        route,
        json!({
            "name": "mail-receive", "class": "batch", "mode": "shadow", "upstream": "mailbox",
            "function": "receive", "rate": 12.5, "in_flight": 0, "admitted": 7,
            "refused": {"rps_over": 2}, "shadow_refused": {}, "cache": {},
            "latency_ms": {"p50": 1.0, "p90": 2.0, "p99": 3.0},
        })
    );
    assert_eq!(
        signals[0],
        json!({"signal": "rps", "value": 12.5, "age_ms": 0, "state": "fresh",
               "threshold": {"enter": 500.0, "exit": 500.0}})
    );
    assert_eq!(
        (&signals[1]["signal"], &signals[1]["threshold"]["enter"]),
        (&json!("workers"), &json!(0.85))
    );

    let quiet = fixture.get("/api/v1/routes/mail-list").await.json();
    assert_eq!((&quiet["mode"], &quiet["latency_ms"]), (&Value::Null, &Value::Null));
    assert_eq!(fixture.get("/api/v1/routes/none").await.refusal().0, 404);
    assert_eq!(fixture.get("/api/v1/routes/%ff").await.refusal().0, 400);
}

#[tokio::test]
async fn series_are_of_what_is_asked_for_and_say_why_there_are_none() {
    let fixture = Fixture::new().await;
    let series = async |query: &str| fixture.get(&format!("/api/v1/series{query}")).await;
    assert_eq!(
        series("?route=mail-receive").await.json(),
        json!({
            "at_unix_ms": 0, "state": "kept", "every_s": 1, "points": 2, "to_unix_s": 60,
            "figures": {"calls": [2.0, 0.5], "limit": [null, 7.0]},
        })
    );
    for (query, state, every_s) in [
        ("", "nothing", 1),
        ("?pool=true", "nothing", 1),
        ("?route=mail-list&span=15m", "nothing", 1),
        ("?route=mail-receive&span=6h", "nothing", 10),
        ("?function=send&span=24h", "nothing", 60),
        ("?upstream=mailbox", "no_room", 1),
    ] {
        let answer = series(query).await.json();
        assert_eq!((&answer["state"], &answer["every_s"]), (&json!(state), &json!(every_s)));
        assert_eq!((&answer["points"], &answer["figures"]), (&json!(0), &json!({})), "{query}");
    }
    for query in ["?route=none", "?upstream=none", "?function=none", "?route="] {
        assert_eq!(series(query).await.refusal(), (404, "not_found".to_owned()), "{query}");
    }
    for query in ["?span=1h", "?rout=a", "?route=mail-list&pool=true", "?pool=perhaps"] {
        assert_eq!(series(query).await.refusal(), (400, "bad_request".to_owned()), "{query}");
    }
    let spark = json!({"calls": [2.0], "refused": [null]});
    for (query, every_s) in [("", 1), ("?span=6h", 10), ("?span=24h", 60)] {
        let sketch = fixture.get(&format!("/api/v1/series/routes{query}")).await.json();
        let routes = json!({"mail-receive": spark});
        let wanted =
            json!({"at_unix_ms": 0, "every_s": every_s, "to_unix_s": 60, "routes": routes});
        assert_eq!(sketch, wanted, "{query}");
    }
    for query in ["?span=1h", "?route=mail-list"] {
        let answer = fixture.get(&format!("/api/v1/series/routes{query}")).await;
        assert_eq!(answer.refusal(), (400, "bad_request".to_owned()), "{query}");
    }
}

#[tokio::test]
async fn upstreams_and_functions_show_their_load() {
    let fixture = Fixture::new().await;
    let upstreams = fixture.get("/api/v1/upstreams").await.json();
    let mailbox = &upstreams["upstreams"][0];
    assert_eq!((&mailbox["name"], &mailbox["in_flight"]), (&json!("mailbox"), &json!(0)));
    assert_eq!(mailbox["endpoints"][1]["address"], "http://127.0.0.1:9102");
    assert_eq!(mailbox["endpoints"][1]["state"], "up");
    let finding = &mailbox["findings"][0];
    assert_eq!(
        (&finding["id"], &finding["severity"]),
        (&json!("orca-never-seen"), &json!("error"))
    );
    assert_eq!(
        (&finding["endpoint"], &finding["signal"]),
        (&json!("http://127.0.0.1:9101"), &Value::Null)
    );
    for words in ["seen", "meanwhile", "remedy"] {
        assert!(finding[words].as_str().is_some_and(|words| !words.is_empty()), "{finding}");
    }

    let functions = fixture.get("/api/v1/functions").await.json();
    assert_eq!(
        functions["pool"],
        json!({"total": 1000, "unreserved": 700, "unreserved_in_use": 0, "in_use": 0})
    );
    let receive = json!({"name": "receive", "upstream": "mailbox", "reserved": 300, "in_use": 0,
                         "peak": 0, "throttled": 0});
    assert_eq!(functions["functions"][0], receive);
    assert_eq!(fixture.get("/api/v1/functions/receive").await.json(), receive);
    assert_eq!(fixture.get("/api/v1/functions/send").await.json()["reserved"], Value::Null);
    assert_eq!(fixture.get("/api/v1/functions/none").await.refusal().0, 404);
}

#[tokio::test]
async fn before_the_first_policy_the_live_view_is_503() {
    let fixture = Fixture::new().await;
    fixture.watched.snapshot.store(None);
    for path in ["/api/v1/routes", "/api/v1/upstreams", "/api/v1/functions"] {
        assert_eq!(fixture.get(path).await.refusal(), (503, "starting".to_owned()));
    }
    assert_eq!(fixture.get("/api/v1/status").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_cache_is_shown() {
    let fixture = Fixture::new().await;
    let cache = fixture.get("/api/v1/cache").await.json();
    let route = json!({"entries": 4, "bytes": 5, "oldest_s": 1.5, "evictions": 2, "hits": 3,
                       "misses": 1, "hit_ratio": 0.75, "results": {"hit": 3, "miss": 1}});
    let tier = json!({"store": "memory", "up": true, "entries": 4, "bytes": 5, "bytes_max": 6,
                      "evictions": 2, "queued_bytes": null, "purges_pending": null});
    let wanted = json!({"store": "memory", "entries": 4, "bytes": 5, "bytes_max": 6,
                        "evictions": 2, "hits": 3, "misses": 1, "hit_ratio": 0.75,
                        "tiers": [tier], "routes": {"mail-list": route}});
    assert_eq!(cache, wanted);
}

const PURGE: &str = "/api/v1/cache:purge";

#[tokio::test]
async fn the_cache_is_purged() {
    let fixture = Fixture::new().await;
    let json_type = [("content-type", "application/json; charset=utf-8")];
    let purge = async |body: &Value| {
        fixture.with_token(Method::POST, PURGE, &json_type, &body.to_string()).await
    };
    let url = "http://localhost:8080/a?b=c";
    let origin: http::Uri = "http://localhost:8080".parse().unwrap();
    let hard = |what| Purge { what, how: Forgetting::Hard };
    let mut wanted = Vec::new();
    for (body, what) in [
        (json!({"url": url}), Purged::Url(url.parse().unwrap())),
        (json!({"route": "mail-list"}), Purged::Route("mail-list".to_owned())),
        (json!({"tag": " red "}), Purged::Tag("red".to_owned())),
        (
            json!({"group": "red", "origin": "http://localhost:8080"}),
            Purged::Group(origin, "red".to_owned()),
        ),
        (json!({"all": true}), Purged::All),
    ] {
        let share = json!({"mail-list": {"entries": 4, "bytes": 5}});
        let told = json!({"dry_run": false, "soft": false, "purged": 4, "entries": 4, "bytes": 5,
                          "routes": share});
        assert_eq!(purge(&body).await.json(), told, "{body}");
        wanted.push(hard(what));
    }
    let dry = purge(&json!({"all": true, "dry_run": true, "soft": true})).await.json();
    assert_eq!(
        (&dry["purged"], &dry["entries"], &dry["dry_run"]),
        (&json!(0), &json!(4), &json!(true))
    );
    wanted.push(Purge { what: Purged::All, how: Forgetting::Preview });
    let soft = purge(&json!({"tag": "red", "soft": true})).await.json();
    assert_eq!((&soft["purged"], &soft["soft"]), (&json!(4), &json!(true)));
    wanted.push(Purge { what: Purged::Tag("red".to_owned()), how: Forgetting::Soft });
    assert_eq!(*fixture.watched.purged.lock(), wanted);
    let audited = fixture.get("/api/v1/audit").await.text().to_owned();
    for told in ["tag red, soft", "all, dry run", "group red of http://localhost:8080/"] {
        assert!(audited.contains(&format!("POST {PURGE} {told}")), "{audited}");
    }
}

#[tokio::test]
async fn what_is_to_be_purged_is_said_in_one_way() {
    let fixture = Fixture::new().await;
    for (body, status) in [
        ("{\"tag\":\" \"}", 400),
        ("{\"group\":\"a\"}", 400),
        ("{\"origin\":\"http://a\"}", 400),
        ("{\"group\":\"a\",\"origin\":\"http://a/path\"}", 400),
        ("{\"route\":\"none\"}", 404),
        ("{\"url\":\"/relative\"}", 400),
        ("{\"url\":\"ftp://a/\"}", 400),
        ("{\"url\":\"http://a/\",\"all\":true}", 400),
        ("{\"all\":false}", 400),
        ("{\"soft\":true}", 400),
        ("{}", 400),
        ("{\"everything\":true}", 400),
        ("not json", 400),
    ] {
        let json_type = [("content-type", "application/json")];
        let answer = fixture.with_token(Method::POST, PURGE, &json_type, body).await;
        assert_eq!(answer.refusal().0, status, "{body}");
    }
    let form = [("content-type", "text/plain")];
    let answer = fixture.with_token(Method::POST, PURGE, &form, "{\"all\":true}").await;
    assert_eq!(answer.refusal(), (415, "media_type_unknown".to_owned()));
    assert!(fixture.watched.purged.lock().is_empty());
}

#[tokio::test]
async fn live_events_tell_all_figures_uncompressed() {
    let fixture = Fixture::new().await;
    let headers = [("accept-encoding", "gzip, br")];
    let answer = fixture.with_token(Method::GET, "/api/v1/live", &headers, "").await;
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!(answer.header("content-encoding"), "", "a compressor would hold events back");
    let data = answer.text().strip_prefix("retry: 2000\n\nid: 1\nevent: tick\ndata: ").unwrap();
    let tick: Value = serde_json::from_str(data).unwrap();
    for (path, part) in [("status", ""), ("functions", ""), ("routes", "routes")] {
        let whole = fixture.get(&format!("/api/v1/{path}")).await.json();
        let wanted = if part.is_empty() { &whole } else { &whole[part] };
        assert_eq!(&tick[path], wanted, "{path}");
    }
    assert_eq!(tick["cache"], json!({"entries": 4, "bytes": 5, "bytes_max": 6}));
    assert_eq!(tick["upstreams"][0]["name"], "mailbox");
    assert!(tick["upstreams"][0]["endpoints"].as_object().unwrap().values().all(|n| *n == 2));

    *fixture.watched.readiness.lock() = Readiness::NotReady(Cow::Borrowed("draining"));
    let answer = fixture.get("/api/v1/live").await;
    assert_eq!(answer.refusal(), (503, "draining".to_owned()));
    assert_eq!(answer.header("retry-after"), "5");
}

#[tokio::test]
async fn a_stream_ends_when_its_session_does_and_does_not_prolong_it() {
    let fixture = Fixture::new().await;
    let ada = session::Identity { name: "ada".into(), role: Role::Admin };
    let set = fixture.desk.sessions.begin(ada).unwrap();
    let cookie = set.to_str().unwrap().split(';').next().unwrap().to_owned();
    let request = Request::get("/api/v1/live").header("host", "localhost");
    let request = request.header("cookie", &cookie).body(Body::empty()).unwrap();
    let mut body = fixture.router.clone().oneshot(request).await.unwrap().into_body();
    for _ in 0..2 {
        assert!(body.frame().await.is_some());
    }
    let out = fixture.call(Method::DELETE, "/api/v1/session", &[("cookie", &cookie)], "").await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    let end = tokio::time::timeout(Duration::from_secs(10), body.frame()).await;
    assert!(end.unwrap().is_none(), "it goes on after the logout");
}
