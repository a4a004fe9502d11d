//! What the API is, for programs: `OpenAPI` 3.1.
//!
//! The document is a file of the repository, `gateway/server/openapi.json`, and is served as it is.
//! Tests write it, from the types that answer and from the table of endpoints, and fail where the
//! file says something else; so the schemas cost the binary nothing but their text.

#[cfg(test)]
pub(in crate::admin) mod document;
#[cfg(test)]
mod operations;

use axum::response::IntoResponse;
use http::header;

/// The document.
const TEXT: &str = include_str!("../../../openapi.json");

/// `GET /api/v1/openapi.json`.
pub(super) async fn show() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], TEXT)
}

/// The shape of [`sumun_policy::Problem`], whose crate knows of no schemas.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "only its shape is used")]
pub(in crate::admin) struct PolicyProblem {
    /// Name of the file within its folder.
    file: String,
    /// Line, from 1.
    line: u32,
    /// Column in characters, from 1.
    column: u32,
    /// What is wrong.
    message: String,
    /// What to do about it; never empty.
    help: String,
}
