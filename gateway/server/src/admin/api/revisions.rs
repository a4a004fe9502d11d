//! What the policy was: revisions, one with its difference, an earlier one back, and changes for a
//! time.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use sumun_policy::Policy;

use super::policies::refused;
use crate::admin::Desk;
use crate::admin::fault::Fault;
use crate::admin::input::{By, Segment};
use crate::reload::history::{Author, Origin, Revision};
use crate::reload::revert::Pending;
use crate::reload::{Files, Past, Reload};

/// Revisions in one answer, where the caller does not say and at most.
const REVISIONS: usize = 50;
const REVISIONS_MAX: usize = 200;

/// Which revisions: the newest, or those before one.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Only those before this one.
    before: Option<u64>,
    /// How many: 50 where it is not said, 200 at most.
    limit: Option<usize>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RevisionList"))]
pub(super) struct List {
    /// Newest first.
    revisions: Vec<Summary>,
}

/// A revision without its texts.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RevisionSummary"))]
struct Summary {
    id: u64,
    at: String,
    cause: Origin,
    author: String,
    from: String,
    reason: String,
    files: Vec<String>,
}

/// A revision, whole, with what it changed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RevisionDetail"))]
pub(super) struct Whole {
    #[serde(flatten)]
    revision: Revision,
    /// The one that ran before it, where that is still known.
    previous: Option<u64>,
    /// What it changed in meaning, one sentence each; empty where only the text changed, or where
    /// one of the two is not valid any more.
    diff: Vec<String>,
    /// What it changed in texts: files by name, before and after; null: there was none, or is none.
    changed: BTreeMap<String, Change>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "TextChange"))]
struct Change {
    before: Option<String>,
    after: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Restored {
    /// The revision that runs now.
    revision: u64,
    /// The one that it repeats.
    of: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RevertList"))]
pub(super) struct PendingList {
    reverts: Vec<Waiting>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Revert"))]
struct Waiting {
    file: String,
    /// Unix seconds.
    due_s: u64,
    /// Whether the file will be gone: there was none before.
    removes: bool,
    by: Author,
}

/// `GET /api/v1/revisions?before=ID&limit=N`.
pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<List>, Fault> {
    let Query(Which { before, limit }) = which.map_err(|e| Fault::malformed(e.body_text()))?;
    let most = limit.unwrap_or(REVISIONS).min(REVISIONS_MAX);
    let revisions = past(&desk, move |past| past.history.list(before, most)).await?;
    let revisions = revisions.unwrap_or_default().into_iter().map(Summary::from).collect();
    Ok(Json(List { revisions }))
}

/// `GET /api/v1/revisions/{id}`.
pub(super) async fn read(
    State(desk): State<Arc<Desk>>,
    Segment(id): Segment,
) -> Result<Json<Whole>, Fault> {
    let (revision, before) = find(&desk, &id).await?;
    let old = before.as_ref().map(|before| before.files.clone()).unwrap_or_default();
    let diff = match (policy(&old).await, policy(&revision.files).await) {
        (Some(old), Some(new)) => sumun_policy::diff(&old, &new),
        _ => Vec::new(),
    };
    let names = old.keys().chain(revision.files.keys());
    let changed = names.filter(|name| old.get(*name) != revision.files.get(*name)).map(|name| {
        let (before, after) = (old.get(name).cloned(), revision.files.get(name).cloned());
        (name.clone(), Change { before, after })
    });
    let changed = changed.collect();
    Ok(Json(Whole { previous: before.map(|before| before.id), diff, changed, revision }))
}

/// `POST /api/v1/revisions/{id}:restore`.
pub(super) async fn restore(
    State(desk): State<Arc<Desk>>,
    Segment(segment): Segment,
    By(by): By,
) -> Result<Json<Restored>, Fault> {
    let Some(id) = segment.strip_suffix(":restore") else {
        return Err(Fault::unknown("only `:restore` can be done to a revision"));
    };
    desk.writable()?;
    let (found, _) = find(&desk, id).await?;
    let of = found.id;
    let files: Files = found.files.into_iter().collect();
    let revision = desk.reload.restore(files, by.clone()).await.map_err(refused)?;
    let Author { name: who, reason, .. } = by;
    tracing::info!(revision, of, who, reason, "an earlier policy runs again");
    Ok(Json(Restored { revision, of }))
}

/// `GET /api/v1/reverts`.
pub(super) async fn pending(State(desk): State<Arc<Desk>>) -> Result<Json<PendingList>, Fault> {
    let all = past(&desk, |past| past.reverts.all()).await?.unwrap_or_default();
    let reverts = all.into_iter().map(|Pending { file, due_s, before, by, .. }| Waiting {
        file,
        due_s,
        removes: before.is_none(),
        by,
    });
    Ok(Json(PendingList { reverts: reverts.collect() }))
}

/// `DELETE /api/v1/reverts/{file}`: the change stays.
pub(super) async fn keep(
    State(desk): State<Arc<Desk>>,
    Segment(file): Segment,
) -> Result<StatusCode, Fault> {
    desk.writable()?;
    let unknown = format!("no change of `{file}` is for a time");
    match past(&desk, move |past| past.reverts.forget(&file)).await? {
        Some(true) => Ok(StatusCode::NO_CONTENT),
        _ => Err(Fault::unknown(unknown)),
    }
}

impl From<Revision> for Summary {
    fn from(revision: Revision) -> Self {
        let Revision { id, at, cause, author, from, reason, files } = revision;
        Self { id, at, cause, author, from, reason, files: files.into_keys().collect() }
    }
}

/// A revision and the one before it.
async fn find(desk: &Desk, id: &str) -> Result<(Revision, Option<Revision>), Fault> {
    let unknown = || Fault::unknown(format!("there is no revision `{id}`, or no more"));
    let id: u64 = id.parse().map_err(|_| unknown())?;
    let found = past(desk, move |past| {
        let Some(revision) = past.history.get(id)? else { return Ok(None) };
        Ok(Some((revision, past.history.before(id)?)))
    });
    found.await?.flatten().ok_or_else(unknown)
}

/// Files that were a valid policy, as one; what is not one any more is `None`.
async fn policy(files: &BTreeMap<String, String>) -> Option<Policy> {
    if files.is_empty() {
        return Some(Policy::default());
    }
    Reload::dry_run(files.clone().into_iter().collect(), Vec::new()).await.ok()
}

/// What the state folder says; `None`: the policy is built in and has no past.
async fn past<T: Send + 'static>(
    desk: &Desk,
    ask: impl FnOnce(&Past) -> io::Result<T> + Send + 'static,
) -> Result<Option<T>, Fault> {
    let Some(past) = desk.reload.past().cloned() else { return Ok(None) };
    let asked = tokio::task::spawn_blocking(move || ask(&past)).await;
    let answer = asked.map_err(io::Error::other).and_then(|answer| answer).map_err(|error| {
        tracing::error!(%error, "the state folder can't be used");
        let detail = "the state folder can't be used; the gateway's log says more";
        Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "state_unusable", detail)
    })?;
    Ok(Some(answer))
}
