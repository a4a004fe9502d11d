//! Policy files: read, checked, written as they are, byte for byte.
//!
//! A write needs a precondition, so that two people never overwrite each other unseen: `If-Match`
//! with the tag that was read, or `If-None-Match: *` for a new file (RFC 9110 section 13).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use sumun_policy::units::{parse_duration, show_duration};
use sumun_policy::{FILE_BYTES_MAX, Policy, Problem};

use crate::admin::Desk;
use crate::admin::fault::Fault;
use crate::admin::input::{self, By, Segment};
use crate::reload::history::{Author, Origin};
use crate::reload::revert::{AFTER_MAX, AFTER_MIN};
use crate::reload::{Change, Expected, Files, Refused, Reload, Written, file_name_allowed, tag};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PolicyList"))]
pub(super) struct List {
    /// Whether what the folder says is what runs.
    ok: bool,
    revision: u64,
    read_only: bool,
    files: Vec<File>,
    #[cfg_attr(test, schemars(with = "Vec<super::openapi::PolicyProblem>"))]
    problems: Vec<Problem>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PolicyFile"))]
struct File {
    #[serde(rename = "file")]
    name: String,
    etag: String,
    bytes: usize,
}

/// `GET /api/v1/policies`.
pub(super) async fn list(State(desk): State<Arc<Desk>>) -> Json<List> {
    let status = desk.reload.status();
    let (files, unreadable) = desk.reload.files().await;
    let files =
        files.into_iter().map(|(name, text)| File { etag: tag(&text), bytes: text.len(), name });
    let problems = if status.ok { unreadable } else { status.problems.clone() };
    Json(List {
        ok: status.ok && problems.is_empty(),
        revision: status.revision,
        read_only: desk.read_only || desk.reload.folder().is_none(),
        files: files.collect(),
        problems,
    })
}

/// `GET /api/v1/policies/{file}`.
pub(super) async fn read(
    State(desk): State<Arc<Desk>>,
    Segment(file): Segment,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let (files, _) = desk.reload.files().await;
    // Looked up among what was listed: no name leads out of the folder.
    let found = files.into_iter().find(|(name, _)| *name == file);
    let (_, text) = found.ok_or_else(|| Fault::unknown(format!("there is no file `{file}`")))?;
    let etag = tag(&text);
    let known = tags(&headers, &header::IF_NONE_MATCH);
    let body = if known.iter().any(|known| known == "*" || known.trim_start_matches("W/") == etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, HeaderValue::from_static("application/yaml"))], text)
            .into_response()
    };
    Ok(with_tag(body, Some(&etag)))
}

/// What a change answers.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PolicyChanged"))]
pub(super) struct Changed {
    file: String,
    revision: u64,
}

/// `PUT /api/v1/policies/{file}`.
pub(super) async fn write(
    State(desk): State<Arc<Desk>>,
    Segment(file): Segment,
    By(by): By,
    request: Request,
) -> Result<Response, Fault> {
    desk.writable()?;
    if !file_name_allowed(&file) {
        return Err(Fault::malformed(
            "a file's name is [a-z0-9][a-z0-9._-]* and ends in .yaml or .yml",
        ));
    }
    let expected = expected(request.headers())?;
    let revert_after = revert_after(request.headers())?;
    let bytes = input::yaml(request).await?;
    if bytes.len() > FILE_BYTES_MAX {
        let detail = format!("a policy file has at most {FILE_BYTES_MAX} bytes");
        return Err(Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail));
    }
    let text = String::from_utf8(bytes.into())
        .map_err(|e| Fault::problems(vec![Problem::not_utf8(&file, e.as_bytes())]))?;
    let (text, cause) = (Some(text), Origin::Api);
    change(&desk, Change { file, text, expected, by, cause, revert_after }).await
}

/// `DELETE /api/v1/policies/{file}`.
pub(super) async fn remove(
    State(desk): State<Arc<Desk>>,
    Segment(file): Segment,
    By(by): By,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    desk.writable()?;
    if !file_name_allowed(&file) {
        return Err(Fault::unknown(format!("there is no file `{file}` that may be removed")));
    }
    let expected = expected(&headers)?;
    if revert_after(&headers)?.is_some() {
        return Err(Fault::malformed("a file is not removed for a time"));
    }
    let (text, cause, revert_after) = (None, Origin::Api, None);
    change(&desk, Change { file, text, expected, by, cause, revert_after }).await
}

async fn change(desk: &Desk, change: Change) -> Result<Response, Fault> {
    let (file, by) = (change.file.clone(), change.by.clone());
    let removed = change.text.is_none();
    let written = desk.reload.change(change).await.map_err(refused)?;
    let Written { revision, tag, created } = written;
    let Author { name: who, reason, .. } = by;
    tracing::info!(file, revision, created, removed, who, reason, "policy file changed");
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let body = (status, Json(Changed { file, revision })).into_response();
    Ok(with_tag(body, tag.as_deref()))
}

/// What a refused change means to the caller.
pub(super) fn refused(refused: Refused) -> Fault {
    match refused {
        Refused::Problems(problems) => Fault::problems(problems),
        Refused::Unknown => Fault::unknown("there is no such file"),
        Refused::BuiltIn => {
            Fault::new(StatusCode::CONFLICT, "policy_built_in", refused.to_string())
        }
        Refused::Conflict { tag } => {
            let detail = match &tag {
                Some(_) => "the file is not what it was; read it again",
                None => "there is no such file; create it with `If-None-Match: *`",
            };
            let fault = Fault::new(StatusCode::PRECONDITION_FAILED, "policy_changed", detail);
            match tag.and_then(|tag| HeaderValue::from_str(&tag).ok()) {
                Some(tag) => fault.with(header::ETAG, tag),
                None => fault,
            }
        }
        Refused::TooManyReverts => {
            Fault::new(StatusCode::CONFLICT, "reverts_full", refused.to_string())
        }
        Refused::Io(error) => {
            tracing::error!(%error, "a policy file could not be written");
            let detail = format!("the file could not be written: {error}; nothing was applied");
            Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "policy_not_written", detail)
        }
    }
}

/// Files of a draft: text, or null for one that would be removed. Files that are not named stay.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Draft {
    files: BTreeMap<String, Option<String>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Checked {
    #[cfg_attr(test, schemars(with = "Vec<super::openapi::PolicyProblem>"))]
    problems: Vec<Problem>,
    /// What would change, one sentence each.
    diff: Vec<String>,
}

/// `POST /api/v1/policies:check`.
pub(super) async fn check(
    State(desk): State<Arc<Desk>>,
    request: Request,
) -> Result<Json<Checked>, Fault> {
    let Drafted { policy, problems } = drafted(&desk, request).await?;
    let diff = policy.map(|policy| difference(&desk, &policy)).unwrap_or_default();
    Ok(Json(Checked { problems, diff }))
}

/// What the folder would be with a draft.
pub(super) struct Drafted {
    /// `None`: it has problems.
    pub policy: Option<Policy>,
    pub problems: Vec<Problem>,
}

/// The folder with the draft that a call carries.
pub(super) async fn drafted(desk: &Desk, request: Request) -> Result<Drafted, Fault> {
    let draft = input::json::<Draft>(request).await?.files;
    let (files, unreadable) = desk.reload.files().await;
    let mut merged: BTreeMap<String, String> = files.into_iter().collect();
    let mut problems: Vec<Problem> = unreadable
        .into_iter()
        // Those of a file, not of the folder as a whole.
        .filter(|problem| {
            let path = desk.reload.folder().map(|folder| folder.join(&problem.file));
            path.is_some_and(|path| path.exists() && !path.is_dir())
        })
        .filter(|problem| !draft.contains_key(&problem.file))
        .collect();
    if desk.reload.folder().is_none() {
        // The built-in policy is replaced by a folder, never merged with it.
        merged.clear();
    }
    for (file, text) in draft {
        if !file_name_allowed(&file) {
            let help = "use [a-z0-9][a-z0-9._-]* and the ending .yaml or .yml";
            problems.push(Problem::whole_file(&file, "is no name of a policy file", help));
            continue;
        }
        match text {
            Some(text) => merged.insert(file, text),
            None => merged.remove(&file),
        };
    }
    let merged: Files = merged.into_iter().collect();
    Ok(match Reload::dry_run(merged, problems).await {
        Ok(policy) => Drafted { policy: Some(policy), problems: Vec::new() },
        Err(problems) => Drafted { policy: None, problems },
    })
}

/// What differs from the policy that runs.
pub(super) fn difference(desk: &Desk, draft: &Policy) -> Vec<String> {
    let running = desk.look(|snapshot| Arc::clone(&snapshot.policy));
    running.map_or_else(
        |_| sumun_policy::diff(&Policy::default(), draft),
        |running| sumun_policy::diff(&running, draft),
    )
}

/// The precondition of a write: 428 without (RFC 6585 section 3).
fn expected(headers: &HeaderMap) -> Result<Expected, Fault> {
    let matching = tags(headers, &header::IF_MATCH);
    if !matching.is_empty() && headers.contains_key(header::IF_NONE_MATCH) {
        // No file both is something and is not there.
        return Err(Fault::malformed("send `If-Match` or `If-None-Match`, not both"));
    }
    if matching.iter().any(|tag| tag == "*") {
        return Ok(Expected::Present);
    }
    if !matching.is_empty() {
        return Ok(Expected::Tags(matching));
    }
    match tags(headers, &header::IF_NONE_MATCH).as_slice() {
        [] => {
            let detail =
                "send `If-Match` with the file's ETag, or `If-None-Match: *` for a new one";
            Err(Fault::new(StatusCode::PRECONDITION_REQUIRED, "precondition_required", detail))
        }
        [any] if any == "*" => Ok(Expected::Absent),
        _ => Err(Fault::malformed("`If-None-Match` of a write can only be `*`")),
    }
}

/// `X-Revert-After: 30m`: after which time the file becomes again what it is now.
fn revert_after(headers: &HeaderMap) -> Result<Option<Duration>, Fault> {
    let Some(written) = headers.get("x-revert-after") else { return Ok(None) };
    let parsed = written.to_str().ok().and_then(|text| parse_duration(text.trim()).ok());
    let within = parsed.filter(|after| (AFTER_MIN..=AFTER_MAX).contains(after));
    let refuse = || {
        let (least, most) = (show_duration(AFTER_MIN), show_duration(AFTER_MAX));
        Fault::malformed(format!("`X-Revert-After` is a duration from {least} to {most}"))
    };
    within.ok_or_else(refuse).map(Some)
}

/// The entity tags of a header; commas stand only between them, for ours hold none.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().to_owned())
        .filter(|tag| !tag.is_empty())
        .collect()
}

fn with_tag(mut response: Response, tag: Option<&str>) -> Response {
    if let Some(value) = tag.and_then(|tag| HeaderValue::from_str(tag).ok()) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}
