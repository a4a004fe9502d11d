use super::*;

#[tokio::test]
async fn paths_with_an_ending_are_files_or_unknown() {
    for path in ["/nothing.js", "/../Cargo.toml", "/..%2fCargo.toml", "/assets/none.css"] {
        let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
        assert_eq!(serve(request).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_root_is_a_page_built_or_not() {
    let request = Request::get("/").body(axum::body::Body::empty()).unwrap();
    let response = serve(request).await;
    assert_eq!(response.status(), StatusCode::OK);
    let media = response.headers()[header::CONTENT_TYPE].to_str().unwrap();
    assert!(media.starts_with("text/html"), "{media}");
}

#[test]
fn a_known_tag_is_answered_with_304() {
    let Some(index) = Files::get("index.html") else { return };
    let etag = sent("index.html", index.clone(), &HeaderMap::new()).headers()["etag"].clone();
    let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, etag)]);
    assert_eq!(sent("index.html", index, &headers).status(), StatusCode::NOT_MODIFIED);
}
