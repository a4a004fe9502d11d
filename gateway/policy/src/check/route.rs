//! A route: which calls it takes, and what holds for them.

use http::{HeaderName, HeaderValue, Method};

use crate::policy::{Admission, Cache, Class, HostPattern, Match, PathPattern};
use crate::problem::quoted;
use crate::raw::{Fields, Located, Place};
use crate::units::{Misread, Name};

use super::admission;
use super::cache;

/// A route whose function or upstream is still a name.
pub(super) struct RouteDraft {
    pub name: Name,
    pub matcher: Option<Located<Match>>,
    pub function: Option<Located<String>>,
    pub upstream: Option<Located<String>>,
    pub class: Class,
    pub admission: Option<Admission>,
    /// Where the threshold on workers stands.
    pub workers_at: Option<Place>,
    /// Where the threshold on CPU stands.
    pub cpu_at: Option<Place>,
    pub cache: Option<Cache>,
    pub websocket: bool,
    pub strict_path: bool,
}

// It always yields a draft, so that what refers to other parts is checked too.
#[expect(clippy::unnecessary_wraps, reason = "the drafts of all sections have one signature")]
pub(super) fn draft(name: Name, _: &Place, fields: &Fields<'_>) -> Option<RouteDraft> {
    let matcher = fields.place_of("match").and_then(|place| {
        let value = matcher(&fields.form("match")?)?;
        Some(Located { value, place })
    });
    let function = fields.text("function").map(Located::owned);
    let upstream = fields.text("upstream").map(Located::owned);
    let class_word = fields.choice("class");
    let class_unclear = class_word.is_none() && fields.place_of("class").is_some();
    let class = match class_word.map(|word| word.value) {
        Some("bulk") => Class::Bulk,
        Some("batch") => Class::Batch,
        Some("default") => Class::Default,
        _ => Class::Interactive,
    };
    let thresholds = fields.form("admission");
    let admission = thresholds.as_ref().and_then(admission::draft);
    if let Some(thresholds) = thresholds.as_ref().filter(|_| !class_unclear) {
        refuse_idle_thresholds(thresholds, &name, class);
    }
    let place = |key| thresholds.as_ref().and_then(|fields| fields.place_of(key));
    let cache = fields.form("cache").and_then(|fields| cache::draft(&fields));
    refuse_uncacheable(fields, matcher.as_ref());
    Some(RouteDraft {
        name,
        workers_at: place("workers"),
        cpu_at: place("cpu"),
        matcher,
        function,
        upstream,
        class,
        admission,
        cache,
        websocket: fields.truth("websocket"),
        strict_path: fields.truth("strict_path"),
    })
}

/// Only non-interactive calls are shed; and thresholds that say nothing are a mistake.
fn refuse_idle_thresholds(thresholds: &Fields<'_>, name: &Name, class: Class) {
    let written = ["rps", "cpu", "workers"].into_iter().filter_map(|key| thresholds.place_of(key));
    let first = written.min_by_key(|place| place.spot);
    match (first, class) {
        (Some(first), Class::Interactive) => {
            let message =
                format!("the route `{name}` is interactive, and interactive calls are never shed");
            let help = "set `class: default`, `batch` or `bulk`, or remove the thresholds";
            thresholds.findings.add(&first, message, help);
        }
        // A threshold that is misspelt is a problem already.
        (None, _) if !thresholds.clean => {}
        (None, _) => {
            let help = "add `rps`, `cpu` or `workers`, or remove `admission`";
            thresholds.findings.add(&thresholds.place, "`admission` has no threshold", help);
        }
        (Some(_), _) => {}
    }
}

fn refuse_uncacheable(fields: &Fields<'_>, matcher: Option<&Located<Match>>) {
    let (Some(cache), Some(matcher)) = (fields.place_of("cache"), matcher) else { return };
    let methods = &matcher.value.methods;
    if methods.is_empty() || methods.contains(&Method::GET) || methods.contains(&Method::HEAD) {
        return;
    }
    let message = "only GET and HEAD are cached, and this route takes neither";
    let help = "remove `cache`, or add GET to the route's `methods`";
    fields.findings.add(&cache, message, help);
}

fn matcher(fields: &Fields<'_>) -> Option<Match> {
    let problems = fields.findings;
    let methods = fields.texts("methods").map(|texts| methods(fields, &texts));
    let methods_bad = methods.is_none() && fields.place_of("methods").is_some();
    let parsed = |text: Located<&str>, error: Misread| {
        problems.add(&text.place, error.message, error.help);
    };
    let path = fields
        .text("path")
        .and_then(|text| PathPattern::parse(text.value).map_err(|error| parsed(text, error)).ok());
    let host = fields
        .text("host")
        .and_then(|text| HostPattern::parse(text.value).map_err(|error| parsed(text, error)).ok());
    let host_bad = host.is_none() && fields.place_of("host").is_some();
    let headers = headers(fields);
    if methods_bad || host_bad {
        return None;
    }
    Some(Match { methods: methods.unwrap_or_default(), path: path?, host, headers })
}

fn methods(fields: &Fields<'_>, texts: &[Located<&str>]) -> Vec<Method> {
    let mut methods: Vec<Method> = Vec::with_capacity(texts.len());
    for text in texts {
        match method(text.value) {
            Ok(method) if methods.contains(&method) => {
                let message = format!("{} is listed twice", quoted(text.value));
                fields.findings.add(&text.place, message, "remove one of the two");
            }
            Ok(method) => methods.push(method),
            Err(error) => fields.findings.add(&text.place, error.message, error.help),
        }
    }
    methods
}

fn method(text: &str) -> Result<Method, Misread> {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
    if matches!(text, "CONNECT" | "TRACE") {
        let message = format!("the gateway refuses {text} on every route");
        return Err(Misread::new(message, "remove it"));
    }
    let shape = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
    let method = Method::from_bytes(text.as_bytes()).ok().filter(|_| text.bytes().all(shape));
    method.ok_or_else(|| {
        let upper = text.to_ascii_uppercase();
        let help = match crate::raw::closest(&upper, known) {
            Some(word) => format!("did you mean `{word}`?"),
            None => "write the method in capitals, for example `GET`".to_owned(),
        };
        Misread::new(format!("{} is no method", quoted(text)), help)
    })
}

fn headers(fields: &Fields<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
    for (name, value) in fields.text_map("headers") {
        let Some(name) = header_name(fields, &name) else { continue };
        if name == http::header::HOST {
            let help = "write `host:` beside `path:`";
            fields.findings.add(&value.place, "the host is no header condition", help);
            continue;
        }
        if headers.iter().any(|(other, _)| *other == name) {
            let message = format!("the header `{name}` is listed twice");
            fields.findings.add(&value.place, message, "header names ignore case; keep one");
            continue;
        }
        // Opaque bytes may come on the wire, but what a policy compares with is plain text.
        let plain = value.value.bytes().all(|b| (0x20..0x7f).contains(&b))
            && value.value.trim() == value.value;
        let Some(value) = HeaderValue::from_str(value.value).ok().filter(|_| plain) else {
            let message = format!("{} cannot be a header's value", quoted(value.value));
            let help = "write visible ASCII without white space around it";
            fields.findings.add(&value.place, message, help);
            continue;
        };
        headers.push((name, value));
    }
    headers
}

/// A header's name; also for cache keys.
pub(super) fn header_name(fields: &Fields<'_>, text: &Located<&str>) -> Option<HeaderName> {
    // A header with `_` is refused on the wire (it aliases `-` in CGI and its heirs).
    let name = HeaderName::from_bytes(text.value.as_bytes()).ok();
    let name = name.filter(|_| !text.value.contains('_'));
    if name.is_none() {
        let message = format!("{} is no header name the gateway passes on", quoted(text.value));
        let help = "write letters, digits and `-`, for example `x-tenant`";
        fields.findings.add(&text.place, message, help);
    }
    name
}
