//! Start and end: readiness, the drain on SIGTERM without a lost call, a restart after a kill.

use std::time::{Duration, Instant};

use sumun_tests::{
    Client, DEADLINE, Gate, H2Client, Load, Reply, Step, Sumun, Upstream, eventually,
};

use crate::policies;

/// A gateway that announces its end for half a second and waits two for calls in flight.
async fn draining(upstream: &Upstream) -> Sumun {
    Sumun::with()
        .policy("policy.yaml", &policies::to(&upstream.url()))
        .settings("drain: { announce: 500ms, limit: 2s }\n")
        .start()
        .await
}

#[tokio::test]
async fn it_is_ready_soon_and_says_where() {
    let upstream = Upstream::plain().await;
    let began = Instant::now();
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let stdout = sumun.stdout();
    assert!(stdout.contains(&format!("http://{}", sumun.address())), "{stdout}");
    assert!(stdout.contains(&format!("http://{}", sumun.admin_address())), "{stdout}");
    assert!(stdout.contains(&sumun.token()), "a login link is printed once: {stdout}");
}

#[tokio::test]
async fn readiness_says_what_a_start_waits_for() {
    // It asks for the upstream's load first, and gets no answer.
    let upstream = Upstream::start(|_| Reply::only(Step::Hang)).await;
    let keys = format!("{}, signals: {{ source: actuator }}", policies::upstream(&upstream.url()));
    // A port that was free a moment ago: what the process takes is told only when it serves.
    let admin = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr();
    let admin = admin.expect("an address");
    let mut sumun = Sumun::with()
        .policy("policy.yaml", &policies::policy(&keys, ""))
        .settings(&format!("admin: {{ listen: '{admin}' }}\n"))
        .without_admin_flag()
        .spawn();
    upstream.arrived(1).await;
    let host = admin.to_string();
    let ask = async |path| sumun_tests::call(admin, "GET", path, &[("host", &host)], b"").await;
    eventually("it says so", DEADLINE, async || {
        let answer = ask("/readyz").await;
        let warming = answer.status == 503 && answer.text().starts_with("warming");
        if warming { Ok(()) } else { Err(answer) }
    })
    .await;
    assert_eq!(ask("/livez").await.status, 200);
    sumun.wait_ready().await;
    assert_eq!(ask("/readyz").await.text(), "ready\n");
}

#[tokio::test]
async fn the_service_manager_is_told_that_it_serves_and_that_it_stops() {
    let upstream = Upstream::plain().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let manager = tokio::net::UnixDatagram::bind(&path).expect("a socket");
    let mut sumun = Sumun::with()
        .policy("policy.yaml", &policies::to(&upstream.url()))
        .settings("drain: { announce: 100ms, limit: 2s }\n")
        .environment("NOTIFY_SOCKET", &path.display().to_string())
        .start()
        .await;
    let told = async || {
        let mut text = [0; 1024];
        let received = tokio::time::timeout(DEADLINE, manager.recv(&mut text)).await;
        let bytes = received.expect("told in time").expect("a message");
        String::from_utf8_lossy(&text[..bytes]).into_owned()
    };
    assert_eq!(told().await.trim_end(), "READY=1");
    sumun.sigterm();
    assert_eq!(told().await.trim_end(), "STOPPING=1");
    assert!(sumun.wait_exit(DEADLINE).await.success());
}

#[tokio::test]
async fn an_idle_gateway_ends_with_0_after_the_announcement() {
    let upstream = Upstream::plain().await;
    let mut sumun = draining(&upstream).await;
    let began = Instant::now();
    sumun.sigterm();
    let status = sumun.wait_exit(DEADLINE).await;
    assert!(status.success(), "{status}");
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(450) && took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn connections_that_have_said_nothing_yet_hold_nobody_up() {
    let upstream = Upstream::plain().await;
    let mut sumun = Sumun::with()
        .policy("policy.yaml", &policies::to(&upstream.url()))
        .settings("drain: { announce: 200ms, limit: 20s }\n")
        .start()
        .await;
    let _silent = Client::connect(sumun.address()).await;
    let mut begun = Client::connect(sumun.address()).await;
    begun.send("P").await;
    eventually("both are accepted", DEADLINE, async || {
        let open = sumun.metric("sumun_connections").await;
        if open >= 2.0 { Ok(()) } else { Err(open) }
    })
    .await;
    let began = Instant::now();
    sumun.sigterm();
    assert!(sumun.wait_exit(DEADLINE).await.success());
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn readiness_turns_first_and_new_connections_are_served_meanwhile() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::with()
        .policy("policy.yaml", &policies::to(&upstream.url()))
        .settings("drain: { announce: 3s, limit: 2s }\n")
        .start()
        .await;
    sumun.sigterm();
    let readyz = eventually("not ready", Duration::from_secs(1), async || {
        let answer = sumun.admin_anonymous("GET", "/readyz", &[], b"").await;
        if answer.status == 503 { Ok(answer) } else { Err(answer.status) }
    })
    .await;
    assert!(readyz.text().contains("drain"), "{readyz}");
    assert_eq!(sumun.admin_anonymous("GET", "/livez", &[], b"").await.status, 200);
    assert_eq!(sumun.get("/").await.status, 200, "a balancer that is slow to hear loses nothing");
}

#[tokio::test]
async fn a_call_in_flight_finishes() {
    let gate = Gate::closed();
    let reply =
        Reply::promise(8).then(Step::Fill(4)).then(Step::Wait(gate.clone())).then(Step::Fill(4));
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let mut sumun = draining(&upstream).await;
    let mut client = Client::connect(sumun.address()).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await.expect("a head");
    let h2 = H2Client::connect(sumun.address()).await;
    let opened = h2.open(H2Client::request("GET", "/", &[]), true).await;
    upstream.arrived(2).await;
    sumun.sigterm();
    eventually("accepts no more", DEADLINE, async || {
        match Client::try_connect(sumun.address()).await {
            Err(_) => Ok(()),
            Ok(_) => Err("still accepts"),
        }
    })
    .await;
    assert!(sumun.is_running(), "two calls are in flight");
    gate.open();
    assert_eq!(client.take(8).await.expect("the whole body"), b"xxxxxxxx");
    let answer = sumun_tests::collect(opened.expect("a stream").0).await.expect("an answer");
    assert_eq!(answer.body.len(), 8);
    assert!(sumun.wait_exit(DEADLINE).await.success());
}

#[tokio::test]
async fn a_call_that_never_ends_is_cut_at_the_limit() {
    let upstream = Upstream::start(|_| Reply::promise(8).then(Step::Hang)).await;
    let mut sumun = draining(&upstream).await;
    let mut client = Client::connect(sumun.address()).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await.expect("a head");
    let began = Instant::now();
    sumun.sigterm();
    let status = sumun.wait_exit(DEADLINE).await;
    assert!(status.success(), "{status}");
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn a_call_without_an_answer_is_told_so_at_the_limit() {
    let upstream = Upstream::start(|request| match request.target() {
        "/hang" => Reply::only(Step::Hang),
        _ => Reply::ok("ok"),
    })
    .await;
    let mut sumun = draining(&upstream).await;
    let hang = "GET /hang HTTP/1.1\r\nhost: a\r\n\r\n";
    let (mut fresh, mut used) =
        (Client::connect(sumun.address()).await, Client::connect(sumun.address()).await);
    assert_eq!(used.exchange("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.status, 200);
    let ending = async {
        upstream.arrived(3).await;
        sumun.sigterm();
    };
    let (fresh, used, ()) = tokio::join!(fresh.exchange(hang), used.exchange(hang), ending);
    for answer in [fresh, used] {
        assert_eq!(answer.problem(503, "draining")["route"], "all");
        assert_eq!(answer.header("retry-after"), Some("1"), "{answer}");
        assert_eq!(answer.header("connection"), Some("close"), "{answer}");
    }
    assert!(sumun.wait_exit(DEADLINE).await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_keep_alive_load_loses_no_call() {
    for round in 0..3 {
        let upstream = Upstream::start(|_| Reply::ok("ok").after(Duration::from_millis(1))).await;
        let mut sumun = draining(&upstream).await;
        let load = Load::get(sumun.address(), "/").connections(16);
        let load = load.lasting(Duration::from_secs(20)).start();
        upstream.arrived(200).await;
        sumun.sigterm();
        assert!(sumun.wait_exit(DEADLINE).await.success());
        let tally = load.await.expect("no panic");
        tally.assert_all(200);
        assert_eq!(tally.refused, 16, "round {round}: each worker ends at a refused connection");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_http2_load_loses_no_stream() {
    let upstream = Upstream::start(|_| Reply::ok("ok").after(Duration::from_millis(1))).await;
    let mut sumun = draining(&upstream).await;
    let address = sumun.address();
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        workers.spawn(async move {
            let client = H2Client::connect(address).await;
            let mut served = 0_u64;
            loop {
                match client.call("GET", "/", &[], b"", &[]).await {
                    Ok(answer) => assert_eq!(answer.status, 200),
                    // What was not begun may be tried elsewhere (RFC 9113 §8.7): not lost.
                    Err(error) if error.is_go_away() => return Ok(served),
                    Err(error) if error.reason() == Some(h2::Reason::REFUSED_STREAM) => {
                        return Ok(served);
                    }
                    Err(error) => return Err(format!("after {served}: {error}")),
                }
                served += 1;
            }
        });
    }
    upstream.arrived(200).await;
    sumun.sigterm();
    assert!(sumun.wait_exit(DEADLINE).await.success());
    for ended in workers.join_all().await {
        assert!(ended.expect("no stream was lost") > 0);
    }
}

#[tokio::test]
async fn after_a_kill_it_is_ready_again_with_the_same_token() {
    let upstream = Upstream::plain().await;
    let mut sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let token = sumun.token();
    let began = Instant::now();
    sumun.kill_and_restart().await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(sumun.token(), token);
    assert_eq!(sumun.get("/").await.status, 200);
    let printed = sumun.stdout().matches(&token).count();
    assert_eq!(printed, 1, "the token is shown once");
}
