//! The grammar of a host with an optional port: `Host` and the authority of an absolute target.

use std::net::Ipv6Addr;
use std::str;

use super::octets::IS_UNRESERVED;

/// A DNS name has at most 255 bytes; with brackets and a port nothing valid is longer than this.
const HOST_BYTES_MAX: usize = 255 + ":65535".len();

/// `uri-host [ ":" port ]` (RFC 9110 §7.2, RFC 3986 §3.2.2), and narrower than the grammar where the
/// grammar lets two spellings mean one host or one spelling two: no percent-encoding, no sub-delims
/// (`a,b` is what a joined pair of Hosts looks like), no empty host, no empty port, no `IPvFuture`.
pub fn is_host(host: &[u8]) -> bool {
    if host.len() > HOST_BYTES_MAX {
        return false;
    }
    if let [b'[', rest @ ..] = host {
        let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
        return is_ipv6(&rest[..end]) && is_port_part(&rest[end + 1..]);
    }
    let end = host.iter().position(|byte| !IS_UNRESERVED[usize::from(*byte)]).unwrap_or(host.len());
    end > 0 && is_port_part(&host[end..])
}

fn is_ipv6(literal: &[u8]) -> bool {
    str::from_utf8(literal).is_ok_and(|literal| literal.parse::<Ipv6Addr>().is_ok())
}

/// Nothing, or a colon and a port from 0 to 65535 in one to five decimal digits.
fn is_port_part(rest: &[u8]) -> bool {
    let digits = match rest {
        [] => return true,
        [b':', digits @ ..] if (1..=5).contains(&digits.len()) => digits,
        _ => return false,
    };
    let port = digits.iter().try_fold(0_u32, |port, digit| {
        digit.is_ascii_digit().then(|| port * 10 + u32::from(digit - b'0'))
    });
    port.is_some_and(|port| u16::try_from(port).is_ok())
}
