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
        "revision": 1, "policy": {"ok": true, "problems": 0}, "stores": {"cache": "memory"},
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
async fn the_cache_is_shown_and_purged() {
    let fixture = Fixture::new().await;
    let cache = fixture.get("/api/v1/cache").await.json();
    let wanted = json!({"store": "memory", "entries": 4, "bytes": 5, "bytes_max": 6, "hits": 3,
                        "misses": 1, "hit_ratio": 0.75});
    assert_eq!(cache, wanted);

    let json_type = [("content-type", "application/json; charset=utf-8")];
    let purge = async |body: &str| {
        fixture.with_token(Method::POST, "/api/v1/cache:purge", &json_type, body).await
    };
    for body in
        ["{\"url\":\"http://localhost:8080/a?b=c\"}", "{\"route\":\"mail-list\"}", "{\"all\":true}"]
    {
        assert_eq!(purge(body).await.json(), json!({"purged": 4}), "{body}");
    }
    let url = "http://localhost:8080/a?b=c".parse().unwrap();
    let wanted = [Purge::Url(url), Purge::Route("mail-list".to_owned()), Purge::All];
    assert_eq!(*fixture.watched.purged.lock(), wanted);

    for (body, status) in [
        ("{\"tag\":\"x\"}", 422),
        ("{\"route\":\"none\"}", 404),
        ("{\"url\":\"/relative\"}", 400),
        ("{\"url\":\"http://a/\",\"all\":true}", 400),
        ("{\"all\":false}", 400),
        ("{}", 400),
        ("{\"everything\":true}", 400),
        ("not json", 400),
    ] {
        assert_eq!(purge(body).await.refusal().0, status, "{body}");
    }
    let form = [("content-type", "text/plain")];
    let answer =
        fixture.with_token(Method::POST, "/api/v1/cache:purge", &form, "{\"all\":true}").await;
    assert_eq!(answer.refusal(), (415, "media_type_unknown".to_owned()));
    assert_eq!(fixture.watched.purged.lock().len(), 3);
}
