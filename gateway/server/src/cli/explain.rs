//! `sumun explain`: which route would a call take, and what would hold for it?

use std::fmt::Write as _;
use std::process::ExitCode;

use http::header::{AUTHORIZATION, HOST, IF_MATCH, IF_UNMODIFIED_SINCE, RANGE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use sumun_engine::freshness::{Delta, Wishes};
use sumun_engine::live::Live;
use sumun_engine::route::Route;
use sumun_engine::snapshot::Snapshot;
use sumun_engine::time::Moment;
use sumun_policy::policy::{Admission, Cache, Class, CpuOf, Mode, OnStale, Per, Target};
use sumun_policy::units::{show_bytes, show_duration};

use super::{ExplainArgs, check, folder_of_settings, misused, print};
use crate::authority::Authority;
use crate::callers::class::{self, ClassAsked, SUMUN_CLASS};
use crate::path::{path_doubt, without_dot_segments};

/// Explains and prints: 0 a route was found, 1 none or the call is refused before there is one, or the
/// policy has problems, 2 no such call.
pub fn explain(args: &ExplainArgs) -> ExitCode {
    let call = match Call::parse(args) {
        Ok(call) => call,
        Err(message) => return misused(&message),
    };
    let Some(folder) = args.policies.clone().or_else(folder_of_settings) else {
        return ExitCode::FAILURE;
    };
    let policy = match check::policy(&folder) {
        Ok(policy) => policy,
        Err(problems) => {
            for problem in &problems {
                print(&format!("{}\n\n", problem.render()));
            }
            return ExitCode::FAILURE;
        }
    };
    let snapshot = Snapshot::compile(policy, 1, &Live::new(), Moment::default());
    let (text, found) = call.explained(&snapshot);
    print(&text);
    if found { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A call that nobody makes.
#[derive(Debug)]
pub(super) struct Call {
    method: Method,
    host: String,
    /// Without dot segments, as it is matched.
    path: String,
    /// What a path may be refused for.
    doubt: Option<&'static str>,
    headers: HeaderMap,
}

impl Call {
    pub(super) fn parse(args: &ExplainArgs) -> Result<Self, String> {
        let method = args.method.to_uppercase();
        let method = method.parse().map_err(|_| format!("`{}` is not a method", args.method))?;
        let url: Uri = args.url.parse().map_err(|e| format!("`{}`: {e}", args.url))?;
        if url.scheme().is_none() && url.authority().is_some() {
            let help = "begin it with `/` or `http://`";
            return Err(format!("`{}` is neither a URL nor a path; {help}", args.url));
        }
        let mut headers = HeaderMap::new();
        for header in &args.headers {
            let fail = || format!("`{header}` is not a header; write 'name: value'");
            let (name, value) = header.split_once(':').ok_or_else(fail)?;
            let name: HeaderName = name.trim().parse().map_err(|_| fail())?;
            let value: HeaderValue = value.trim().parse().map_err(|_| fail())?;
            headers.append(name, value);
        }
        // The target's authority wins over `Host`.
        let written = match url.authority() {
            Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
            None => headers.get(HOST).cloned(),
        };
        let host = match written {
            Some(written) => Authority::parse(written.clone())
                .map(|authority| authority.host().to_owned())
                .ok_or_else(|| format!("{written:?} is not a host and port"))?,
            None => String::new(),
        };
        let path = without_dot_segments(url.path()).unwrap_or_else(|| url.path().to_owned());
        let target = url.path_and_query().map_or("/", PathAndQuery::as_str);
        Ok(Self { method, host, path, doubt: path_doubt(target), headers })
    }

    /// The host that is asked; empty: the call names none.
    #[cfg(test)]
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The text, and whether a route was found.
    pub(super) fn explained(&self, snapshot: &Snapshot) -> (String, bool) {
        if matches!(self.method, Method::CONNECT | Method::TRACE) {
            let text =
                format!("refused: 405 method_not_allowed, {} is not forwarded\n", self.method);
            return (text, false);
        }
        let found = snapshot.find(&self.method, &self.host, &self.path, &self.headers);
        match (found, self.doubt) {
            (Some(route), Some(doubt)) if route.policy.strict_path => {
                let name = &route.policy.name;
                (format!("refused: 400 bad_request, {doubt} (strict_path of {name})\n"), false)
            }
            (Some(route), _) => (described(route, &self.method, &self.headers, snapshot), true),
            (None, Some(doubt)) => (format!("refused: 400 bad_request, {doubt}\n"), false),
            (None, None) => ("no route: 404 route_unknown\n".to_owned(), false),
        }
    }
}

fn described(route: &Route, method: &Method, headers: &HeaderMap, snapshot: &Snapshot) -> String {
    let policy = &route.policy;
    let mut out = String::new();
    let origin = &policy.origin;
    let _ = writeln!(out, "route     {} ({}:{})", policy.name, origin.file, origin.line);
    let _ = writeln!(out, "class     {}", class_of(policy.class, headers.get(&SUMUN_CLASS)));
    let upstream = &route.upstream.policy;
    let endpoints: Vec<String> = upstream.endpoints.iter().map(ToString::to_string).collect();
    let _ = writeln!(out, "upstream  {}: {}", upstream.name, endpoints.join(", "));
    let _ = writeln!(
        out,
        "timeout   connect {}, response {}",
        show_duration(upstream.timeout.connect),
        show_duration(upstream.timeout.response)
    );
    let _ = writeln!(
        out,
        "admission {}",
        policy
            .admission
            .as_ref()
            .map_or_else(|| "no thresholds: never shed".to_owned(), admission,)
    );
    let _ = writeln!(out, "quota     {}", quota(&policy.target, route, snapshot));
    let _ = writeln!(
        out,
        "cache     {}",
        match &policy.cache {
            None => "off".to_owned(),
            Some(_) if method != Method::GET && method != Method::HEAD => {
                format!("not used: {method} is not cached")
            }
            Some(rule) => cache(rule),
        }
    );
    if policy.cache.is_some() {
        for line in of_request(method, headers) {
            let _ = writeln!(out, "          {line}");
        }
    }
    out
}

/// The class that would hold, and what the call's own word does to it.
fn class_of(route: Class, asked: Option<&HeaderValue>) -> String {
    let own = route.as_str();
    let Some(asked) = asked else {
        return format!("{own}, unless Sumun-Class says another that counts");
    };
    // Who calls, nobody knows.
    let (class, outcome) = class::settle(route, asked, || false);
    match outcome {
        ClassAsked::Same => own.to_owned(),
        ClassAsked::Unknown => format!("{own}; Sumun-Class names no class"),
        ClassAsked::Lowered => format!("{}, lowered by Sumun-Class from {own}", class.as_str()),
        ClassAsked::Raised | ClassAsked::Denied => {
            format!("{own}; Sumun-Class raises it for those in callers.may_raise only")
        }
    }
}

/// What of this very call decides how the cache takes part, whatever the origin answers.
fn of_request(method: &Method, headers: &HeaderMap) -> Vec<&'static str> {
    if method != Method::GET && method != Method::HEAD {
        let changes = !method.is_safe();
        return changes
            .then_some("a 2xx or 3xx makes what is stored for its URL invalid")
            .into_iter()
            .collect();
    }
    let wishes = Wishes::read(headers);
    let none = Delta::ZERO;
    [
        (headers.contains_key(IF_MATCH) || headers.contains_key(IF_UNMODIFIED_SINCE)).then_some(
            "goes past the cache: only the service can judge If-Match and If-Unmodified-Since",
        ),
        headers.contains_key(AUTHORIZATION).then_some(
            "with Authorization: stored and served only as public, s-maxage or must-revalidate",
        ),
        wishes.no_store.then_some("no-store: neither stored nor served from the store"),
        (wishes.no_cache || wishes.max_age == Some(none))
            .then_some("no-cache or max-age=0: the service is asked first"),
        wishes.only_if_cached.then_some("only-if-cached: 504 where nothing usable is stored"),
        headers
            .contains_key(RANGE)
            .then_some("Range: a part of a stored answer; is not stored where none is"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn admission(admission: &Admission) -> String {
    let mut parts = vec![match admission.mode {
        Mode::Enforce => "enforce".to_owned(),
        Mode::Shadow => "shadow: counts, never refuses".to_owned(),
        Mode::Off => return "off".to_owned(),
    }];
    if let Some(rps) = &admission.rps {
        let per = match rps.per {
            Per::Route => "route",
            Per::Caller => "caller (unknown callers share one)",
        };
        parts.push(format!("rps {} burst {} per {per}", rps.limit, rps.burst));
    }
    if let Some(cpu) = &admission.cpu {
        let of = match cpu.of {
            CpuOf::Upstream => "upstream",
            CpuOf::Gateway => "gateway",
        };
        let bounds = cpu.bounds;
        parts.push(format!("cpu of {of} enter {} exit {}", bounds.enter, bounds.exit));
    }
    if let Some(workers) = &admission.workers {
        let bounds = workers.bounds;
        let mut part = format!("workers enter {} exit {}", bounds.enter, bounds.exit);
        if workers.full > bounds.enter {
            let _ = write!(part, " full {}", workers.full);
        }
        if let Some(wait) = workers.wait {
            let _ = write!(part, " wait {}", show_duration(wait));
        }
        parts.push(part);
    }
    let on_stale = match admission.on_stale {
        OnStale::Proven => "proven",
        OnStale::Open => "open",
        OnStale::Closed => "closed",
    };
    parts.push(format!("on_stale {on_stale}"));
    parts.join("; ")
}

fn quota(target: &Target, route: &Route, snapshot: &Snapshot) -> String {
    let (Some(name), Some(function)) = (target.function(), &route.function) else {
        return "none".to_owned();
    };
    match function.policy.reserved {
        Some(0) => format!("function {name}: reserved 0, always throttled"),
        Some(n) => format!("function {name}: reserved {n}"),
        None => format!("function {name}: shares {} unreserved", snapshot.pool().unreserved),
    }
}

fn cache(cache: &Cache) -> String {
    let mut parts = vec![match cache.fresh_for {
        Some(time) => format!("fresh for {} where the origin gives none", show_duration(time)),
        None => "fresh for as long as the origin says".to_owned(),
    }];
    if let Some(share) = cache.heuristic {
        parts
            .push(format!("fresh for {share} of Date − Last-Modified where the origin gives none"));
    }
    for (duration, when) in [
        (cache.stale_while_revalidate, "while it is revalidated"),
        (cache.stale_if_error, "where the upstream fails"),
        (cache.stale_if_shed, "instead of 429"),
    ] {
        let Some(duration) = duration else { continue };
        parts.push(format!("stale for {} {when}", show_duration(duration)));
    }
    parts.push(format!("bodies up to {}", show_bytes(cache.object_bytes_max)));
    if !cache.key.headers.is_empty() {
        let names: Vec<&str> = cache.key.headers.iter().map(HeaderName::as_str).collect();
        parts.push(format!("key with headers {}", names.join(", ")));
    }
    if !cache.key.query_drop.is_empty() {
        parts.push(format!("key without parameters {}", cache.key.query_drop.join(", ")));
    }
    if cache.key.query_sort {
        parts.push("key with parameters in order".to_owned());
    }
    if cache.require_public {
        parts.push("only what is public".to_owned());
    }
    if cache.store_set_cookie {
        parts.push("also with Set-Cookie".to_owned());
    }
    parts.join("; ")
}
