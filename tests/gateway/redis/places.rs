//! Where Redis may be: behind TLS and a log-in, in a cluster, behind sentinels.

use super::*;

#[tokio::test]
async fn tls_a_user_with_few_rights_and_a_database_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let identity = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("made");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("cert"), identity.cert.pem()).expect("written");
    fs::write(path("key"), identity.signing_key.serialize_pem()).expect("written");
    fs::write(path("password"), "canary-7\n").expect("written");
    let (cert, key) = (path("cert"), path("key"));
    let (redis, tls_port) = behind_tls(&cert, &key).await;
    let origin = origin().await;
    let url = format!("rediss://127.0.0.1:{tls_port}/3");
    let login = format!(
        ", ca: {cert}, user: gateway, password: \"${{file:{}}}\", prefix: \"mail:\"",
        path("password")
    );
    let one = unconnected(&origin, &url, &login).await;
    let other = unconnected(&origin, &url, &login).await;
    used(&one).await;
    used(&other).await;
    let host = [("host", "shared.test")];
    let old = one.call("GET", "/a", &host, b"").await.text();
    written(&one, 1.0).await;
    assert!(is_from_redis(&other.call("GET", "/a", &host, b"").await));
    assert_eq!(redis.ask(&["DBSIZE"]), "0");
    assert_eq!(redis.ask(&["-n", "3", "DBSIZE"]), "2");
    one.call("POST", "/a", &host, b"x").await;
    eventually("purged", DEADLINE, async || {
        let theirs = other.call("GET", "/a", &host, b"").await;
        if theirs.text() == old { Err(theirs) } else { Ok(()) }
    })
    .await;
    let shown = one.metrics().await;
    assert!(!format!("{shown:?}").contains("canary"), "a password in the metrics");

    let wrong = login.replace(&path("password"), &path("cert"));
    assert_refused(&origin, &url, &wrong, "authentication").await;
    assert_refused(&origin, &url, ", user: gateway, password: canary-7", "certificate").await;
}

/// A server with a user of few rights, who may only touch `mail:*`, and its port for TLS.
async fn behind_tls(cert: &str, key: &str) -> (Redis, u16) {
    let redis = Redis::with(
        &[
            "--user",
            "default",
            "off",
            "--user",
            "root",
            "on",
            ">root-1",
            "~*",
            "&*",
            "+@all",
            "--user",
            "gateway",
            "on",
            ">canary-7",
            "~mail:*",
            "&mail:*",
            "-@all",
            "+getrange",
            "+pttl",
            "+set",
            "+eval",
            "+zrem",
            "+zscore",
            "+zadd",
            "+zincrby",
            "+zrangebyscore",
            "+publish",
            "+subscribe",
            "+del",
            "+select",
            "+ping",
        ],
        &["--user", "root", "--pass", "root-1", "--no-auth-warning"],
    )
    .await;
    for (name, value) in
        [("tls-cert-file", cert), ("tls-key-file", key), ("tls-ca-cert-file", cert)]
    {
        redis.ask(&["CONFIG", "SET", name, value]);
    }
    let tls_port = Redis::start().await.port(); // free once that one is dropped
    redis.ask(&["CONFIG", "SET", "tls-auth-clients", "no"]);
    redis.ask(&["CONFIG", "SET", "tls-port", &tls_port.to_string()]);
    (redis, tls_port)
}

/// What Redis does not let in, or nobody vouches for, is said and not used; calls go on.
async fn assert_refused(origin: &Upstream, url: &str, settings: &str, why: &str) {
    let refused = unconnected(origin, url, settings).await;
    eventually("the reason is said", DEADLINE, async || {
        let store = refused.admin_get("/api/v1/status").await["stores"]["redis"].clone();
        let text = store.to_string();
        assert!(!text.contains("canary"), "{text}");
        if text.to_lowercase().contains(why) { Ok(()) } else { Err(text) }
    })
    .await;
    assert_eq!(refused.get("/a").await.status, 200);
}

#[tokio::test]
async fn a_cluster_holds_entries_on_all_its_nodes() {
    let (origin, cluster) = (origin().await, RedisCluster::start().await);
    let one = gateway(&origin, &cluster.url()).await;
    let other = gateway(&origin, &cluster.url()).await;
    let host = [("host", "shared.test")];
    for at in 0..30 {
        one.call("GET", &format!("/{at}"), &host, b"").await;
    }
    written(&one, 30.0).await;
    for at in 0..30 {
        let shared = other.call("GET", &format!("/{at}"), &host, b"").await;
        assert!(is_from_redis(&shared), "{at}: {shared}");
    }
    for node in &cluster.nodes {
        assert!(!node.entries("sumun:").is_empty(), "a node has nothing");
    }
    let german = [("host", "shared.test"), ("accept-language", "de")];
    one.call("GET", "/vary", &german, b"").await;
    written(&one, 31.0).await;
    assert!(is_from_redis(&other.call("GET", "/vary", &german, b"").await));
    let old = one.call("GET", "/7", &host, b"").await.text();
    one.call("POST", "/7", &host, b"x").await;
    let took = asked_anew_of(&other, "/7", &old, &host).await;
    println!("cluster: a POST is seen within {took:?}");
    assert!(took < SEEN_WITHIN, "{took:?}");
}

async fn asked_anew_of(sumun: &Sumun, path: &str, old: &str, host: &[(&str, &str)]) -> Duration {
    let since = Instant::now();
    eventually("a new answer", DEADLINE, async || {
        let answer = sumun.call("GET", path, host, b"").await;
        if answer.text() == old { Err(answer) } else { Ok(()) }
    })
    .await;
    since.elapsed()
}

#[tokio::test]
async fn sentinels_say_where_the_master_is() {
    let (origin, mut master) = (origin().await, Redis::start().await);
    let port = master.port().to_string();
    let replica = Redis::with(&["--replicaof", "127.0.0.1", &port], &[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sentinel.conf");
    fs::write(
        &file,
        format!(
            "sentinel monitor mail 127.0.0.1 {port} 1\n\
             sentinel down-after-milliseconds mail 500\n\
             sentinel failover-timeout mail 2000\n"
        ),
    )
    .expect("written");
    let file = file.display().to_string();
    let sentinel = Redis::with(&[&file, "--sentinel"], &[]).await;
    eventually("the sentinel knows the replica", DEADLINE, async || {
        let said = sentinel.ask(&["SENTINEL", "REPLICAS", "mail"]);
        if said.contains(&replica.port().to_string()) { Ok(()) } else { Err(said) }
    })
    .await;
    let url = format!("redis+sentinel://127.0.0.1:{}/mail", sentinel.port());
    let one = gateway(&origin, &url).await;
    let other = gateway(&origin, &url).await;
    let host = [("host", "shared.test")];
    one.call("GET", "/a", &host, b"").await;
    written(&one, 1.0).await;
    assert!(is_from_redis(&other.call("GET", "/a", &host, b"").await));

    master.kill();
    let deadline = DEADLINE * 2;
    eventually("the replica is master", deadline, async || {
        let role = replica.ask(&["ROLE"]);
        if role.starts_with("master") { Ok(()) } else { Err(role) }
    })
    .await;
    eventually("what one stores the other finds", deadline, async || {
        let path = format!("/{}", origin.request_count());
        assert_eq!(one.call("GET", &path, &host, b"").await.status, 200);
        if eventually_shared(&other, &path).await { Ok(()) } else { Err(path) }
    })
    .await;
}
