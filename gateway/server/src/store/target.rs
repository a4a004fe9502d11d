//! What a `Location` or `Content-Location` names, where that is on the same origin (RFC 9111 §4.4).

use super::key::Resource;

/// Path and query of `reference` relative to `base` (RFC 3986 §5.2); `None` on another origin.
pub(crate) fn resolve(base: Resource<'_>, reference: &str) -> Option<String> {
    let reference = reference.split('#').next().unwrap_or_default();
    let base_path = base.path_and_query.split('?').next().unwrap_or_default();
    if let Some((scheme, rest)) = scheme_of(reference) {
        return scheme.eq_ignore_ascii_case(base.scheme).then_some(rest).and_then(|rest| {
            let rest = rest.strip_prefix("//")?;
            on_authority(base, rest)
        });
    }
    if let Some(rest) = reference.strip_prefix("//") {
        return on_authority(base, rest);
    }
    if reference.is_empty() {
        return Some(base.path_and_query.to_owned());
    }
    if reference.starts_with('?') {
        return Some(format!("{base_path}{reference}"));
    }
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (reference, None),
    };
    let absolute = if path.starts_with('/') {
        without_dots(path)
    } else {
        let folder = &base_path[..base_path.rfind('/').map_or(0, |slash| slash + 1)];
        without_dots(&format!("{folder}{path}"))
    };
    Some(match query {
        Some(query) => format!("{absolute}?{query}"),
        None => absolute,
    })
}

/// A scheme and what follows its colon.
fn scheme_of(reference: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = reference.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    is_scheme.then_some((scheme, rest))
}

/// `authority/path?query` where the authority is the base's.
fn on_authority(base: Resource<'_>, rest: &str) -> Option<String> {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path_and_query) = rest.split_at(end);
    let default_port = if base.scheme == "https" { ":443" } else { ":80" };
    let authority = authority.to_ascii_lowercase();
    let authority = authority.strip_suffix(default_port).unwrap_or(&authority);
    (authority == base.authority).then(|| {
        if path_and_query.starts_with('/') {
            path_and_query.to_owned()
        } else {
            format!("/{path_and_query}")
        }
    })
}

/// RFC 3986 §5.2.4.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_open = false;
    for segment in path.split('/').skip(1) {
        ends_open = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    let joined = format!("/{}", kept.join("/"));
    if ends_open && !joined.ends_with('/') { joined + "/" } else { joined }
}

#[cfg(test)]
mod tests;
