//! The page: files of the admin UI, embedded in the binary.
//!
//! They hold no secret and need no token. Where the UI was not built, a plain page says how to.

use axum::extract::Request;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::fault::Fault;

/// The built UI; empty where it wasn't.
#[derive(RustEmbed)]
#[folder = "../../admin-ui/dist"]
#[allow_missing = true]
struct Files;

const UNBUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
<title>Sumun</title><h1>Sumun</h1>\
<p>The gateway runs. Its admin page was not built into this binary: run <code>make ui</code> and \
build again.</p>\
<p>The API answers under <code>/api/v1/</code> with the token of <code>admin.token</code>; \
<a href=\"/metrics\">/metrics</a>, <a href=\"/readyz\">/readyz</a> and \
<a href=\"/livez\">/livez</a> need none.</p></html>\n";

/// A file of the page, or the page itself for a path of its own navigation.
pub(super) async fn serve(request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let detail = format!("{} is not allowed here", request.method());
        return Fault::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
            .with(header::ALLOW, HeaderValue::from_static("GET,HEAD"))
            .into_response();
    }
    let path = request.uri().path().trim_start_matches('/');
    if let Some(file) = Files::get(path).filter(|_| !path.is_empty()) {
        return sent(path, file, request.headers());
    }
    // A path without an ending is a screen of the page, not a file.
    if path.rsplit('/').next().is_some_and(|last| last.contains('.')) {
        return Fault::unknown("there is no such file").into_response();
    }
    match Files::get("index.html") {
        Some(index) => sent("index.html", index, request.headers()),
        None if path.is_empty() => Html(UNBUILT).into_response(),
        None => Fault::unknown("there is nothing here").into_response(),
    }
}

fn sent(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    use std::fmt::Write as _;
    // Weak: the bytes on the wire depend on the content coding.
    let mut etag = "W/\"".to_owned();
    for byte in &file.metadata.sha256_hash()[..16] {
        let _ = write!(etag, "{byte:02x}");
    }
    etag.push('"');
    let known = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value.to_str().is_ok_and(|tags| tags.split(',').any(|tag| tag.trim() == etag))
    });
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let media = HeaderValue::from_static(media_type(path));
        ([(header::CONTENT_TYPE, media)], file.data).into_response()
    };
    let headers = response.headers_mut();
    // Asked again each time, answered with 304: a new binary is a new page at once.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    response
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
