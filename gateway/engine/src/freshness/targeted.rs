//! Targeted cache control: fields that speak to this cache instead of to all (RFC 9213).
//!
//! A targeted field is a dictionary of RFC 9651. The first one of the list that parses and is not
//! empty stands for `Cache-Control` *and* `Expires`; the others, and those fields, then say nothing to
//! this cache and are passed on as they are.

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use super::directives::ResponseDirectives;

/// The target list (RFC 9213 §2.2): this gateway's own field, then the one for all shared caches near
/// the origin.
const TARGETED: [HeaderName; 2] =
    [HeaderName::from_static("sumun-cache-control"), HeaderName::from_static("cdn-cache-control")];

/// What the answer says to this cache by a targeted field; `None` where no field of the list is
/// there, valid and not empty.
pub(super) fn read(response: &HeaderMap) -> Option<ResponseDirectives> {
    TARGETED.iter().find_map(|name| read_field(response, name))
}

fn read_field(response: &HeaderMap, name: &HeaderName) -> Option<ResponseDirectives> {
    let mut lines = response.get_all(name).iter().map(HeaderValue::as_bytes);
    let first = lines.next()?;
    let mut field = first.to_vec();
    for line in lines {
        // RFC 9651 §4.2: the lines of a field are one list.
        field.extend_from_slice(b", ");
        field.extend_from_slice(line);
    }
    let members: Dictionary = Parser::new(&field).parse().ok()?;
    if members.is_empty() {
        return None;
    }
    let mut said = ResponseDirectives::default();
    for (name, member) in &members {
        take(&mut said, name.as_str(), member)?;
    }
    Some(said)
}

/// Takes one member over; `None` where a directive that is known here has a value of another type,
/// which makes the whole field unusable. Parameters mean nothing (RFC 9213 §2.1).
fn take(said: &mut ResponseDirectives, name: &str, member: &ListEntry) -> Option<()> {
    let ListEntry::Item(item) = member else { return (!is_known(name)).then_some(()) };
    let value = &item.bare_item;
    match (name, value) {
        ("max-age" | "s-maxage" | "stale-while-revalidate" | "stale-if-error", value) => {
            // Negative is no delta-seconds and so, as in Cache-Control, no time at all.
            let seconds = i64::from(value.as_integer()?).max(0);
            said.take(name.as_bytes(), Some(seconds.to_string().as_bytes()));
        }
        ("no-cache" | "private", BareItem::String(fields)) => {
            said.take(name.as_bytes(), Some(fields.as_str().as_bytes()));
        }
        (name, BareItem::Boolean(true)) => said.take(name.as_bytes(), None),
        // `no-store=?0` says that it doesn't hold.
        (_, BareItem::Boolean(false)) => {}
        (name, _) if is_known(name) => return None,
        _ => {}
    }
    Some(())
}

/// Whether the directive means something to this cache (names are in lower case, RFC 9651 §3.1.2).
fn is_known(name: &str) -> bool {
    const KNOWN: [&str; 12] = [
        "immutable",
        "max-age",
        "must-revalidate",
        "must-understand",
        "no-cache",
        "no-store",
        "private",
        "proxy-revalidate",
        "public",
        "s-maxage",
        "stale-if-error",
        "stale-while-revalidate",
    ];
    KNOWN.contains(&name)
}

#[cfg(test)]
mod tests;
