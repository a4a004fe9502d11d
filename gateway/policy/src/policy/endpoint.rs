//! Addresses of upstreams: read strictly, because a gateway that follows a sloppy address can be
//! led to places that nobody meant (link-local metadata services, odd spellings of loopback).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::Endpoint;
use crate::problem::quoted;
use crate::units::Misread;

impl Endpoint {
    /// Reads `http://host[:port]` or `https://host[:port]`.
    ///
    /// Refused: user names, paths, queries; IPv4 in any spelling but four decimal numbers
    /// (`127.1`, `0x7f.1`, `0177.0.0.1`); addresses no service can have or should be reached at:
    /// link-local (169.254/16, `fe80::/10`), unspecified, multicast, broadcast, also where they
    /// are mapped into IPv6.
    pub fn parse(url: &str) -> Result<Self, Misread> {
        let wrong =
            |why: &str, help: &str| Misread::new(format!("{} {why}", quoted(url)), help.to_owned());
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(wrong("has no scheme", &format!("write `http://{}`", plain(url))));
        };
        let tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(wrong("is neither http nor https", "write `http://host:port`")),
        };
        if rest.contains('@') {
            // Not quoted: what stands before the `@` may be a password.
            let message = "an endpoint carries a user name";
            return Err(Misread::new(message, "remove everything up to the `@`"));
        }
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if !tail.is_empty() {
            let help = format!("write `{scheme}://{}`", plain(authority));
            return Err(wrong("has a path or query; an endpoint is host and port", &help));
        }
        if !authority.starts_with('[') && authority.matches(':').count() > 1 {
            let help = "write an IPv6 address in brackets, for example `http://[::1]:9101`";
            return Err(wrong("has more than one colon", help));
        }
        let (host, port) = split_port(authority)
            .ok_or_else(|| wrong("has a bad port", "write a port from 1 to 65535"))?;
        let host = read_host(host).map_err(|reason| wrong(reason.why, reason.help))?;
        Ok(Self { tls, host: host.into(), port: port.unwrap_or(if tls { 443 } else { 80 }) })
    }
}

impl fmt::Display for Endpoint {
    /// As a URL without path: `http://127.0.0.1:9101`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

struct Reason {
    why: &'static str,
    help: &'static str,
}

/// At most 64 characters for a help text.
fn plain(text: &str) -> String {
    quoted(text).trim_matches('`').to_owned()
}

/// Host and port; `None` where the port is no number from 1 to 65535.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let after_host = if authority.starts_with('[') {
        authority.rfind(']').map_or(authority.len(), |at| at + 1)
    } else {
        0
    };
    let Some(colon) = authority[after_host..].find(':').map(|at| after_host + at) else {
        return Some((authority, None));
    };
    let digits = &authority[colon + 1..];
    let valid = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    let port = digits.parse::<u16>().ok().filter(|_| valid)?;
    Some((&authority[..colon], Some(port)))
}

/// The host as it is kept: lower case, an IPv6 address in its canonical form without brackets.
fn read_host(host: &str) -> Result<String, Reason> {
    if let Some(inner) = host.strip_prefix('[') {
        let address = inner.strip_suffix(']').and_then(|text| text.parse::<Ipv6Addr>().ok());
        let address = address.ok_or(Reason {
            why: "has a bad IPv6 address",
            help: "write it in brackets and without a zone, for example `http://[::1]:9101`",
        })?;
        return if reachable_v6(address) { Ok(address.to_string()) } else { Err(UNREACHABLE) };
    }
    if !is_host_name(host) {
        return Err(Reason {
            why: "has a bad host",
            help: "write a host name (letters, digits, `-`, `.`) or an IP address",
        });
    }
    let host = host.to_ascii_lowercase();
    // The rule of the URL standard: a host whose last label is a number is an IPv4 address.
    let last = host.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
    if !numeric {
        return Ok(host);
    }
    let address = host.parse::<Ipv4Addr>().map_err(|_| Reason {
        why: "has an odd spelling of an IPv4 address",
        help: "write four decimal numbers without leading zeros, for example `127.0.0.1`",
    })?;
    if reachable_v4(address) { Ok(host) } else { Err(UNREACHABLE) }
}

const UNREACHABLE: Reason = Reason {
    why: "is a link-local, multicast or unspecified address",
    help: "write the service's own address; link-local ones belong to metadata services",
};

/// Host names as in RFC 1123 §2.1, and `_`, which service discoveries use.
pub(super) fn is_host_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    host.len() <= 253 && host.split('.').all(label)
}

fn reachable_v4(address: Ipv4Addr) -> bool {
    // 0/8 is "this network" (RFC 1122 §3.2.1.3): Linux takes it for loopback.
    !(address.is_link_local()
        || address.octets()[0] == 0
        || address.is_multicast()
        || address.is_broadcast())
}

fn reachable_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // IPv4 in IPv6: mapped, compatible (RFC 4291 §2.5.5) and NAT64 (RFC 6052).
    let inner = match segments {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
            if (high, low) != (0, 1) =>
        {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    };
    let link_local = segments[0] & 0xffc0 == 0xfe80;
    !(link_local || address.is_multicast() || address.is_unspecified())
        && inner.is_none_or(reachable_v4)
}

#[cfg(test)]
mod tests;
