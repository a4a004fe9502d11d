use bytes::Bytes;
use http::{Method, Request};
use http_body_util::BodyExt;

use super::{Functions, Ordering, RUN_MS, Service};

async fn call(functions: &Functions, method: Method, path: &str) -> (u16, serde_json::Value) {
    let request = Request::builder().method(method).uri(path).body(Bytes::new()).unwrap();
    let answer = functions.answer(request).await;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn runs_as_many_as_asked_and_says_how_many() {
    let functions = Functions::new(1);
    let run = || call(&functions, Method::POST, "/functions/thumbnails");
    let (first, second, other) =
        tokio::join!(run(), run(), call(&functions, Method::POST, "/functions/reports"));
    for (status, body) in [&first, &second, &other] {
        assert_eq!(*status, 200);
        assert!(RUN_MS.contains(&body["took_ms"].as_u64().unwrap()));
    }
    assert_eq!(second.1["peak"], 2);
    assert_eq!(other.1["peak"], 1);
    assert_eq!(functions.thumbnails.now.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn refuses_what_it_is_not() {
    let functions = Functions::new(1);
    assert_eq!(call(&functions, Method::POST, "/functions/other").await.0, 404);
    assert_eq!(call(&functions, Method::GET, "/functions/reports").await.0, 405);
    assert_eq!(functions.reports.peak.load(Ordering::Relaxed), 0);
}
