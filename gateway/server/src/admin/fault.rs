//! What the admin API answers when it can't do what was asked: problem+json (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use sumun_policy::Problem;

/// A refusal of the admin API.
#[derive(Debug)]
pub(super) struct Fault(Box<Inner>);

/// Boxed: a refusal is the rare side of every result.
#[derive(Debug)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    detail: String,
    problems: Vec<Problem>,
    header: Option<(HeaderName, HeaderValue)>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Problem"))]
pub(super) struct Body<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[Problem]>::is_empty")]
    #[cfg_attr(test, schemars(with = "Vec<super::api::openapi::PolicyProblem>"))]
    problems: &'a [Problem],
}

/// Media type of every refusal.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

impl Fault {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self(Box::new(Inner { status, code, detail, problems: Vec::new(), header: None }))
    }

    /// 404.
    pub(super) fn unknown(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 400.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    /// 422 with what is wrong in the policy.
    pub(super) fn problems(problems: Vec<Problem>) -> Self {
        let detail = "the policy would have problems; nothing was changed";
        let mut fault = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "policy_problems", detail);
        fault.0.problems = problems;
        fault
    }

    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let Inner { status, code, detail, problems, header } = *self.0;
        let body = Body {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code,
            detail: &detail,
            problems: &problems,
        };
        let text = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, text).into_response();
        let headers = response.headers_mut();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some((name, value)) = header {
            headers.insert(name, value);
        }
        response
    }
}
