//! Every operation of the API: what it does, takes, answers, and how it is refused.

use http::Method;

use super::document::{Operation, Shapes};
use crate::admin::api::{
    cache, concurrency, events, live, policies, preview, revisions, series, session, traces,
};

const YAML: &str = "application/yaml";

fn get(path: &'static str, does: &'static str) -> Operation {
    Operation::new(Method::GET, path, does)
}

fn post(path: &'static str, does: &'static str) -> Operation {
    Operation::new(Method::POST, path, does)
}

fn put(path: &'static str, does: &'static str) -> Operation {
    Operation::new(Method::PUT, path, does)
}

fn delete(path: &'static str, does: &'static str) -> Operation {
    Operation::new(Method::DELETE, path, does)
}

pub(super) fn operations(shapes: &mut Shapes) -> Vec<Operation> {
    let mut all =
        vec![get("/v1/openapi.json", "This document.").json::<serde_json::Value>(shapes, 200)];
    all.extend(of_the_session(shapes));
    all.extend(of_now(shapes));
    all.extend(of_functions(shapes));
    all.extend(of_the_cache(shapes));
    all.extend(of_traces(shapes));
    all.extend(of_policies(shapes));
    all.extend(of_the_past(shapes));
    all
}

fn of_the_session(shapes: &mut Shapes) -> [Operation; 4] {
    let cookie = "The session's cookie: HttpOnly, SameSite=Strict.";
    [
        get("/v1/session", "Who is logged in.").json::<session::Session>(shapes, 200),
        post("/v1/session", "Logs in, with `token` or with `user` and `password`.")
            .open()
            .takes::<session::Shown>(shapes)
            .json::<session::Session>(shapes, 200)
            .with(200, "Set-Cookie", cookie)
            .fault(401, "login_failed")
            .fault(429, "login_attempts"),
        delete("/v1/session", "Logs out.").empty(204).with(
            204,
            "Set-Cookie",
            "Removes the cookie.",
        ),
        get("/v1/audit", "Who changed what, or tried to, newest first.")
            .query::<session::Most>()
            .json::<session::AuditLog>(shapes, 200)
            .fault(500, "audit_unreadable"),
    ]
}

fn of_now(shapes: &mut Shapes) -> [Operation; 7] {
    [
        get("/v1/status", "Version, readiness, policy, stores, limits.")
            .json::<live::Status>(shapes, 200),
        get("/v1/live", "Server-sent events: one `tick` a second, whose data is this JSON.")
            .events::<events::Tick>(shapes)
            .fault(503, "draining")
            .fault(503, "streams_full"),
        get("/v1/series", "What was: figures of the last minutes, hours, day.")
            .query::<series::Asked>()
            .json::<series::Series>(shapes, 200)
            .fault(404, "not_found")
            .looks(),
        get("/v1/series/routes", "Each route in a few points: the last minute, or a span.")
            .query::<series::AskedOfAll>()
            .json::<series::Sparks>(shapes, 200),
        get("/v1/routes", "Routes of the running policy with their live figures.")
            .json::<live::Routes>(shapes, 200)
            .looks(),
        get("/v1/routes/{name}", "One route.").json::<live::RouteState>(shapes, 200).looks(),
        get("/v1/upstreams", "Upstreams with endpoints, signals and what is wrong with them.")
            .json::<live::Upstreams>(shapes, 200)
            .looks(),
    ]
}

fn of_functions(shapes: &mut Shapes) -> [Operation; 4] {
    let path = "/v1/functions/{name}/concurrency";
    let written = |operation: Operation, shapes: &mut Shapes| {
        refused(operation.changes().looks()).json::<concurrency::Changed>(shapes, 200)
    };
    [
        get("/v1/functions", "Functions and the pool.")
            .json::<live::Functions>(shapes, 200)
            .looks(),
        get("/v1/functions/{name}", "One function.")
            .json::<live::FunctionState>(shapes, 200)
            .looks(),
        written(
            put(path, "Reserves concurrency, in the policy file; 0 pauses the function.")
                .takes::<concurrency::Reservation>(shapes),
            shapes,
        ),
        written(delete(path, "Lets the function share the unreserved pool."), shapes),
    ]
}

fn of_the_cache(shapes: &mut Shapes) -> [Operation; 2] {
    [
        get("/v1/cache", "What the cache holds.").json::<cache::Figures>(shapes, 200),
        post("/v1/cache:purge", "Forgets stored answers, by exactly one of the keys.")
            .takes::<cache::Wanted>(shapes)
            .json::<cache::Report>(shapes, 200)
            .changes()
            .fault(404, "not_found")
            .looks(),
    ]
}

fn of_traces(shapes: &mut Shapes) -> [Operation; 2] {
    [
        get("/v1/traces", "Recent calls that were refused, slow or failed, and some of the rest.")
            .query::<traces::Which>()
            .json::<traces::List>(shapes, 200),
        get("/v1/traces/{trace_id}", "One trace as OTLP JSON (`ExportTraceServiceRequest`).")
            .json::<serde_json::Value>(shapes, 200),
    ]
}

/// How a change of a policy file may be refused.
fn refused(operation: Operation) -> Operation {
    operation
        .fault(409, "policy_built_in")
        .fault(409, "policy_changed")
        .fault(422, "policy_problems")
        .fault(500, "policy_not_written")
}

fn of_policies(shapes: &mut Shapes) -> [Operation; 6] {
    let file = "/v1/policies/{file}";
    let (matching, tag) = ("The file's ETag, as it was read; `*`: any.", "The file's tag.");
    let write = |operation: Operation, shapes: &mut Shapes| {
        let operation = operation.changes().header("If-Match", matching);
        refused(operation.json::<policies::Changed>(shapes, 200))
            .fault(412, "policy_changed")
            .fault(428, "precondition_required")
    };
    let save = put(file, "Replaces or creates a file, byte for byte, and applies the folder.")
        .takes_text(YAML)
        .header("If-None-Match", "`*`: the file is to be new.")
        .header("X-Revert-After", "After this time the file becomes again what it is: 1s to 7d.");
    [
        get("/v1/policies", "The policy files, and what is wrong with them.")
            .json::<policies::List>(shapes, 200),
        get(file, "A file's text.")
            .header("If-None-Match", "A tag that is known: then 304.")
            .text(YAML)
            .with(200, "ETag", tag)
            .empty(304),
        write(save, shapes)
            .with(200, "ETag", tag)
            .json::<policies::Changed>(shapes, 201)
            .with(201, "ETag", tag)
            .fault(409, "reverts_full"),
        write(delete(file, "Removes a file and applies the folder."), shapes),
        post("/v1/policies:check", "What is wrong with a draft, and what it would change.")
            .takes::<policies::Draft>(shapes)
            .json::<policies::Checked>(shapes, 200),
        post("/v1/policies:preview", "A draft, played over the recorded calls.")
            .takes::<policies::Draft>(shapes)
            .json::<preview::Preview>(shapes, 200)
            .fault(422, "policy_problems")
            .fault(503, "preview_busy"),
    ]
}

fn of_the_past(shapes: &mut Shapes) -> [Operation; 5] {
    [
        get("/v1/revisions", "Earlier policies, newest first.")
            .query::<revisions::Which>()
            .json::<revisions::List>(shapes, 200)
            .fault(500, "state_unusable"),
        get("/v1/revisions/{id}", "One, with its texts and what it changed.")
            .json::<revisions::Whole>(shapes, 200)
            .fault(500, "state_unusable"),
        refused(post("/v1/revisions/{id}:restore", "Makes an earlier policy run again."))
            .changes()
            .json::<revisions::Restored>(shapes, 200)
            .fault(412, "policy_changed")
            .fault(500, "state_unusable"),
        get("/v1/reverts", "Changes for a time that wait for their end.")
            .json::<revisions::PendingList>(shapes, 200)
            .fault(500, "state_unusable"),
        delete("/v1/reverts/{file}", "Lets a change for a time stay.")
            .changes()
            .empty(204)
            .fault(500, "state_unusable"),
    ]
}
