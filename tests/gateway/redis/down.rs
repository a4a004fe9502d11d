//! Redis killed, frozen, full, or not there at all: no call fails by it.

use super::*;

/// Hits of 20 paths and misses of ever new ones, until told otherwise.
fn mixed(sumun: &Sumun) -> (Arc<AtomicBool>, tokio::task::JoinHandle<Tally>) {
    let load = Load::requests(sumun.address(), |connection, turn| {
        let path = if turn % 2 == 0 { format!("new/{turn}") } else { format!("old/{connection}") };
        format!("GET /{path} HTTP/1.1\r\nhost: gateway.test\r\n\r\n").into_bytes()
    });
    let load = load.connections(20);
    (load.stop(), load.start())
}

/// Every call is answered while something is done to Redis, and Redis is used again after it.
async fn unharmed(redis: &mut Redis, harm: impl AsyncFnOnce(&mut Redis, &Sumun)) -> Tally {
    let origin = origin().await;
    let sumun = gateway(&origin, &redis.url()).await;
    let (stop, load) = mixed(&sumun);
    let found = sumun.metric("sumun_store_ops_total{op=\"get\"}").await;
    eventually("the load is under way", DEADLINE, async || {
        let now = sumun.metric("sumun_store_ops_total{op=\"get\"}").await;
        if now > found + 50.0 { Ok(()) } else { Err(now) }
    })
    .await;
    harm(redis, &sumun).await;
    used(&sumun).await;
    let found = sumun.metric("sumun_store_ops_total{op=\"get\",result=\"miss\"}").await;
    eventually("Redis is asked again", DEADLINE, async || {
        let now = sumun.metric("sumun_store_ops_total{op=\"get\",result=\"miss\"}").await;
        if now > found { Ok(()) } else { Err(now) }
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    let tally = load.await.expect("the load ends");
    tally.assert_all(200);
    assert_eq!(tally.refused, 0);
    tally
}

/// Answers while the load runs, over this long.
async fn answered_during(sumun: &Sumun, time: Duration) -> f64 {
    let count = async || sumun.metric("http_server_request_duration_seconds_count").await;
    let before = count().await;
    let until = Instant::now() + time;
    eventually("time passes", time + DEADLINE, async || {
        if Instant::now() >= until { Ok(()) } else { Err(()) }
    })
    .await;
    count().await - before
}

#[tokio::test]
async fn calls_go_on_while_redis_is_killed_and_restarted() {
    let mut redis = Redis::start().await;
    let tally = unharmed(&mut redis, async |redis, sumun| {
        redis.kill();
        up_is(sumun, 0.0).await;
        assert!(answered_during(sumun, Duration::from_secs(1)).await > 20.0);
        redis.restart().await;
        let back = Instant::now();
        used(sumun).await;
        println!("used again {:?} after the restart", back.elapsed());
    })
    .await;
    println!("killed and restarted: {} calls, slowest {:?}", tally.answers(), tally.slowest);
}

#[tokio::test]
async fn calls_go_on_while_redis_hangs() {
    let mut redis = Redis::start().await;
    let tally = unharmed(&mut redis, async |redis, sumun| {
        redis.freeze();
        up_is(sumun, 0.0).await;
        assert!(answered_during(sumun, Duration::from_secs(3)).await > 60.0);
        redis.thaw();
        let back = Instant::now();
        used(sumun).await;
        println!("used again {:?} after it went on", back.elapsed());
    })
    .await;
    println!("hung for 3 s: {} calls, slowest {:?}", tally.answers(), tally.slowest);
}

#[tokio::test]
async fn calls_go_on_while_redis_is_full_and_purges_still_get_through() {
    let mut redis = Redis::start().await;
    unharmed(&mut redis, async |redis, sumun| {
        redis.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
        redis.ask(&["CONFIG", "SET", "maxmemory", "1000000"]);
        eventually("Redis is full", DEADLINE, async || {
            let full = sumun.metric("sumun_store_ops_total{op=\"set\",result=\"full\"}").await;
            if full > 0.0 { Ok(()) } else { Err(full) }
        })
        .await;
        sumun.call("POST", "/any", &[], b"x").await;
        eventually("the purge is told", DEADLINE, async || {
            let told = sumun.metric("sumun_store_ops_total{op=\"purge\",result=\"ok\"}").await;
            if told > 0.0 { Ok(()) } else { Err(told) }
        })
        .await;
        assert!((sumun.metric("sumun_store_up").await - 1.0).abs() < 0.1, "reads go on");
        redis.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    })
    .await;
}

#[tokio::test]
async fn a_gateway_starts_without_redis_and_says_so() {
    let origin = origin().await;
    let mut redis = Redis::start().await;
    redis.kill();
    let sumun = unconnected(&origin, &redis.url(), "").await;
    assert_eq!(sumun.get("/a").await.status, 200);
    assert!(is_hit(&sumun.get("/a").await), "the first tier works");
    let status = sumun.admin_get("/api/v1/status").await;
    let store = &status["stores"];
    assert_eq!(store["cache"], "redis", "{status}");
    assert_eq!(store["redis"]["up"], false, "{status}");
    assert!(store["redis"]["reason"].as_str().is_some_and(|why| !why.is_empty()), "{status}");
    redis.restart().await;
    used(&sumun).await;
}
