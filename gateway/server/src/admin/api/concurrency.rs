//! A function's reserved concurrency, written back into the policy file that defines it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use sumun_policy::Problem;

use super::policies::refused;
use crate::admin::Desk;
use crate::admin::fault::Fault;
use crate::admin::input::{self, By, Segment};
use crate::admin::write_back::{self, CannotEdit};
use crate::reload::history::{Author, Origin};
use crate::reload::{Change, Expected, Files, Refused, tag};

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Reservation {
    reserved: u32,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ReservationChanged"))]
pub(super) struct Changed {
    function: String,
    reserved: Option<u32>,
    file: String,
    revision: u64,
}

/// `PUT /api/v1/functions/{name}/concurrency`.
pub(super) async fn set(
    State(desk): State<Arc<Desk>>,
    Segment(name): Segment,
    By(by): By,
    request: Request,
) -> Result<Json<Changed>, Fault> {
    desk.writable()?;
    let Reservation { reserved } = input::json(request).await?;
    write(&desk, name, Some(reserved), by).await
}

/// `DELETE /api/v1/functions/{name}/concurrency`: the function shares the unreserved pool again.
pub(super) async fn release(
    State(desk): State<Arc<Desk>>,
    Segment(name): Segment,
    By(by): By,
) -> Result<Json<Changed>, Fault> {
    desk.writable()?;
    write(&desk, name, None, by).await
}

/// Tries when somebody else writes the same file in between.
const TRIES_MAX: usize = 3;

async fn write(
    desk: &Desk,
    name: String,
    reserved: Option<u32>,
    by: Author,
) -> Result<Json<Changed>, Fault> {
    let origin = desk.look(|snapshot| {
        let functions = &snapshot.policy.functions;
        functions.get(name.as_str()).map(|function| function.origin.file.to_string())
    })?;
    let unknown = || Fault::unknown(format!("there is no function `{name}`"));
    let origin = origin.ok_or_else(unknown)?;
    for _ in 0..TRIES_MAX {
        let (files, problems) = desk.reload.files().await;
        let Some((file, text)) = definition(files, &origin, &name) else {
            return Err(if problems.is_empty() { unknown() } else { Fault::problems(problems) });
        };
        let edited = write_back::reserve(&text, &name, reserved).map_err(|e| cannot(e, &file))?;
        let change = Change {
            file: file.clone(),
            text: Some(edited),
            expected: Expected::Tags(vec![tag(&text)]),
            by: by.clone(),
            cause: Origin::Api,
            revert_after: None,
        };
        match desk.reload.change(change).await {
            Ok(written) => {
                let revision = written.revision;
                let Author { name: who, reason, .. } = by;
                tracing::info!(
                    function = name,
                    ?reserved,
                    file,
                    revision,
                    who,
                    reason,
                    "reservation set"
                );
                return Ok(Json(Changed { function: name, reserved, file, revision }));
            }
            Err(Refused::Conflict { .. }) => {}
            Err(other) => return Err(refused(other)),
        }
    }
    let detail = "the file is being changed by somebody else; try again";
    Err(Fault::new(StatusCode::CONFLICT, "policy_changed", detail))
}

/// The file that defines the function now: where it was when the policy was applied, or another.
fn definition(files: Files, origin: &str, name: &str) -> Option<(String, String)> {
    let mut files: Vec<_> = files.into_iter().collect();
    files.sort_by_key(|(file, _)| file != origin);
    files.into_iter().find(|(_, text)| write_back::defines(text, name))
}

fn cannot(error: CannotEdit, file: &str) -> Fault {
    let help = "edit the file itself; its text is left as it is";
    Fault::problems(vec![Problem::whole_file(file, error.to_string(), help)])
}
