//! Header fields that end at a proxy, and those it makes anew (RFC 9110 §7.6, RFC 9112 §9.3).

use http::Method;
use http::header::{
    self, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderMap, HeaderName,
    HeaderValue, SET_COOKIE, TE, TRANSFER_ENCODING, UPGRADE,
};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY: HeaderName = HeaderName::from_static("proxy");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// Which of the fields that mean something to a gateway a request has. Most have hardly any, and one
/// look at all names is cheaper than a look-up of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Present(u8);

impl Present {
    /// Those that [`strip_hop_by_hop`] removes.
    pub const HOP_BY_HOP: Self = Self(1);
    /// `Upgrade`.
    pub const UPGRADE: Self = Self(2);
    /// `Via`.
    pub const VIA: Self = Self(4);
    /// `Content-Type`.
    pub const CONTENT_TYPE: Self = Self(8);
    /// `traceparent`.
    pub const TRACEPARENT: Self = Self(16);
    /// `tracestate`.
    pub const TRACESTATE: Self = Self(32);
    /// `Sumun-Class`.
    pub const SUMUN_CLASS: Self = Self(64);

    /// Looks at every name once.
    pub fn of(headers: &HeaderMap) -> Self {
        headers.keys().fold(Self(0), |seen, name| {
            Self(
                seen.0
                    | match name.as_str() {
                        "via" => Self::VIA.0,
                        "content-type" => Self::CONTENT_TYPE.0,
                        "traceparent" => Self::TRACEPARENT.0,
                        "tracestate" => Self::TRACESTATE.0,
                        "sumun-class" => Self::SUMUN_CLASS.0,
                        "upgrade" => Self::UPGRADE.0 | Self::HOP_BY_HOP.0,
                        name if is_hop_by_hop(name) => Self::HOP_BY_HOP.0,
                        _ => 0,
                    },
            )
        })
    }

    /// Whether all of `wanted` are there.
    pub fn has(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }
}

/// What is made anew as a whole, so that nothing a client sends is taken for ours.
pub const FORWARDED_FAMILY: [HeaderName; 7] = [
    header::FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-real-ip"),
];

/// Whether any of the family is there: most requests have none, and looking at the names once is
/// cheaper than asking for each.
pub fn has_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        *name == header::FORWARDED
            || (name.as_str().starts_with("x-") && FORWARDED_FAMILY.contains(name))
    })
}

/// Removes the family, where a client sent any of it.
pub fn strip_forwarded(headers: &mut HeaderMap) {
    if has_forwarded(headers) {
        for name in FORWARDED_FAMILY {
            headers.remove(name);
        }
    }
}

/// Removes what concerns one connection only: the hop-by-hop fields and those that `Connection`
/// names. `te: trailers` stays, as gRPC needs it end to end.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if !headers.keys().any(|name| is_hop_by_hop(name.as_str())) {
        return;
    }
    if headers.contains_key(CONNECTION) {
        for name in nominated(headers) {
            headers.remove(name);
        }
    }
    let wants_trailers = headers
        .get_all(TE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| coding.trim().eq_ignore_ascii_case("trailers"));
    for name in [
        CONNECTION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        header::PROXY_AUTHORIZATION,
        header::PROXY_AUTHENTICATE,
        TE,
        TRANSFER_ENCODING,
        UPGRADE,
        EXPECT,
        PROXY,
        HTTP2_SETTINGS,
    ] {
        headers.remove(name);
    }
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Whether a field concerns one connection only by its name; `name` is lower case.
pub fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "expect"
            | "proxy-authorization"
            | "proxy-authenticate"
            | "keep-alive"
            | "proxy"
            | "proxy-connection"
            | "http2-settings"
    )
}

/// The fields that are there and `Connection` names, but for framing and routing, which are ours to
/// say.
fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(|name| *name != HOST && *name != CONTENT_LENGTH && *name != TE)
        .filter(|name| headers.contains_key(name))
        .collect()
}

/// Whether the client asks for a WebSocket (RFC 6455 §4.1), and nothing else besides.
pub fn asks_websocket(headers: &HeaderMap) -> bool {
    let mut upgrades = headers.get_all(UPGRADE).iter();
    let websocket =
        upgrades.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    websocket
        && upgrades.next().is_none()
        && headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .any(|name| name.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

/// Trailers never become headers: what frames, routes or authenticates is dropped (RFC 9110 §6.5.1).
pub fn clean_trailers(trailers: &mut HeaderMap) {
    strip_hop_by_hop(trailers);
    for name in [
        HOST,
        CONTENT_LENGTH,
        AUTHORIZATION,
        COOKIE,
        SET_COOKIE,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::CONTENT_RANGE,
        header::TRAILER,
        header::CACHE_CONTROL,
        header::WWW_AUTHENTICATE,
        header::VIA,
    ] {
        trailers.remove(name);
    }
    strip_forwarded(trailers);
}

/// Whether a request by this method says that it has no content, where it has none (RFC 9110 §8.6).
/// HTTP/2 says so by its frames; some HTTP/1.1 servers answer 411 where nobody does.
pub fn expects_content(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// Removes names with an underscore, which some servers can't tell from a dash. HTTP/1's screen lets
/// none by.
pub fn drop_aliases(fields: &mut HeaderMap) {
    let aliases: Vec<HeaderName> =
        fields.keys().filter(|name| name.as_str().contains('_')).cloned().collect();
    for name in aliases {
        fields.remove(name);
    }
}

/// Joins the cookie crumbs of HTTP/2 into the one line that HTTP/1.1 allows (RFC 9113 §8.2.3).
pub fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(COOKIE).iter();
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else { return };
    let mut joined = first.as_bytes().to_vec();
    for crumb in std::iter::once(second).chain(crumbs) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(crumb.as_bytes());
    }
    // Made of valid values and "; ".
    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
        headers.insert(COOKIE, joined);
    }
}

#[cfg(test)]
mod tests;
