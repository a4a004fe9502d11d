//! Whom a client asks for: one host, perhaps a port, and nothing else.

use http::HeaderValue;

use crate::screen::is_host;

/// Whom the client asks for: `Host`, `:authority` or the authority of an absolute target.
#[derive(Clone, Debug)]
pub struct Authority {
    value: HeaderValue,
    host_len: usize,
    lower: Option<Box<str>>,
}

impl Authority {
    /// Host and port as the client wrote them.
    pub fn value(&self) -> &HeaderValue {
        &self.value
    }

    /// Host and port, lower case; the port as written.
    pub fn text(&self) -> &str {
        match &self.lower {
            Some(lower) => lower,
            // Only visible ASCII passes `parse`.
            None => self.value.to_str().unwrap_or_default(),
        }
    }

    /// The host, lower case, without port.
    pub fn host(&self) -> &str {
        &self.text()[..self.host_len]
    }

    /// Becomes what cache keys hold of it: lower case, without its scheme's default port. What was
    /// that already, as nearly everything is, stays as it is.
    pub fn normalise(&mut self, tls: bool) {
        let text = keyed(tls, self.text());
        if text.as_bytes() == self.value.as_bytes() {
            return;
        }
        // Part of a valid value in lower case is one.
        if let Ok(value) = HeaderValue::from_str(text) {
            (self.value, self.lower) = (value, None);
        }
    }

    /// `uri-host [":" port]` and nothing else (RFC 9112 §3.2), by the grammar that the screen of HTTP/1
    /// has ([`is_host`]), whatever it came in.
    pub fn parse(value: HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes();
        if !is_host(bytes) {
            return None;
        }
        let host_len = if bytes.first() == Some(&b'[') {
            memchr::memchr(b']', bytes)? + 1
        } else {
            memchr::memchr(b':', bytes).unwrap_or(bytes.len())
        };
        let upper = bytes.iter().any(u8::is_ascii_uppercase);
        let lower =
            if upper { Some(value.to_str().ok()?.to_ascii_lowercase().into()) } else { None };
        Some(Self { value, host_len, lower })
    }
}

/// An authority as cache keys hold it: without its scheme's default port.
pub fn keyed(tls: bool, authority: &str) -> &str {
    let default = if tls { ":443" } else { ":80" };
    authority.strip_suffix(default).unwrap_or(authority)
}

#[cfg(test)]
mod tests;
