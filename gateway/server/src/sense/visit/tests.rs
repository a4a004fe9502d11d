use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::upstream::tls_connector;

/// Answers every connection's requests with this.
async fn service(answer: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(1..) = stream.read(&mut buffer).await {
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

fn policy(upstreams: &str) -> Policy {
    let text = format!(
        "version: 1\nupstreams:\n{upstreams}\
         routes:\n  all: {{ match: {{ path: /** }}, upstream: a }}\n"
    );
    let (policy, problems) = sumun_policy::check(&[("p.yaml".to_owned(), text)]);
    policy.unwrap_or_else(|| panic!("{problems:?}"))
}

#[tokio::test]
async fn every_endpoint_is_visited_and_found_out() {
    let text = "tomcat_threads_busy_threads 3\ntomcat_threads_config_max_threads -1\nsystem_cpu_usage 0.2\n";
    let sick = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{text}",
        text.len()
    );
    let well = service(sick.replace("-1\n", "20\n")).await;
    let sick = service(sick).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let policy = policy(&format!(
        "  a: {{ endpoints: [http://127.0.0.1:{well}, http://127.0.0.1:{sick}], signals: {{ source: actuator, every: 200ms }} }}\n\
         \x20 b: {{ endpoints: [http://127.0.0.1:{gone}], signals: {{ source: actuator, every: 200ms }} }}\n\
         \x20 c: {{ endpoints: [http://127.0.0.1:{gone}], signals: {{ source: orca }} }}\n\
         \x20 d: {{ endpoints: [http://127.0.0.1:{gone}] }}\n"
    ));
    let Visit { endpoints, findings } = visit(&policy, &tls_connector().unwrap()).await;
    assert_eq!(endpoints, 3, "nothing is scraped of ORCA and of no signals");
    let ids: Vec<_> = findings.iter().map(|(upstream, f)| (upstream.as_str(), f.id)).collect();
    assert_eq!(ids, [("a", "workers-max-unknown"), ("b", "connection-refused")]);
    assert_eq!(findings[0].1.endpoint, format!("http://127.0.0.1:{sick}"));
}
