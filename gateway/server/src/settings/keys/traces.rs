//! Recent traces.

use super::super::values::{Wrong, wrong};
use super::{Key, put};

/// What stands for the trace's id.
const TRACE_ID: &str = "{trace_id}";

pub(super) const LINK: Key = Key {
    path: "traces.link",
    flag: "traces-link",
    value: "URL",
    about: "Where Jaeger, Tempo or another tool shows a trace, with {trace_id} for its id",
    reason: "the admin page shows recent traces by itself",
    list: false,
    set: |d, text| put(&mut d.settings.traces.link, link(text).map(Some)),
    show: |s| s.traces.link.clone(),
};

/// A URL that people may be led to: no script, nothing that a page would have to escape.
fn link(text: &str) -> Result<String, Wrong> {
    let help = "write a URL with {trace_id} in it, for example \
                `http://127.0.0.1:16686/trace/{trace_id}`";
    let url = text.replace(TRACE_ID, "0").parse::<http::Uri>();
    let known = |url: &http::Uri| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.authority().is_some()
    };
    if !url.is_ok_and(|url| known(&url)) {
        return wrong(format!("`{text}` is not a URL of http:// or https://"), help);
    }
    if !text.contains(TRACE_ID) {
        return wrong(format!("`{text}` leads to the same place for every trace"), help);
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
