//! Sessions: who has logged in with a browser.
//!
//! A session begins with a login and ends with a logout, [`IDLE_MAX`] after its last call, or
//! [`AGE_MAX`] after its login; all end with the process. The cookie holds 256 random bits; here
//! only its digest is kept, so that neither a look-up's timing nor a memory dump gives a cookie away.
//! Bound: [`SESSIONS_MAX`], the longest unused goes first.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::secret::{self, NoRandom};
use crate::settings::Role;

/// Most sessions at once.
pub(super) const SESSIONS_MAX: usize = 1_000;

/// Without a call for so long, a session ends: a working day.
pub(super) const IDLE_MAX: Duration = Duration::from_hours(8);

/// So long after its login it ends anyhow.
pub(super) const AGE_MAX: Duration = Duration::from_hours(24);

/// Name of the cookie.
const COOKIE: &str = "sumun_session";

/// Most bytes of cookies that are looked at: other pages of the same host set theirs too.
const COOKIES_BYTES_MAX: usize = 16 * 1024;

/// Somebody who may call the admin API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user's name; `token` for whoever has the admin token.
    pub name: Arc<str>,
    /// What the user may do.
    pub role: Role,
}

/// Everybody who has logged in.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<Digest, Session>>);

/// SHA-256 of a cookie's value.
type Digest = [u8; 32];

struct Session {
    identity: Identity,
    began: Instant,
    used: Instant,
}

// === impl Identity ===

impl Identity {
    /// Whoever has the admin token.
    pub(super) fn of_token() -> Self {
        Self { name: "token".into(), role: Role::Admin }
    }
}

// === impl Sessions ===

impl Sessions {
    /// Begins a session; answers the cookie to set.
    pub(super) fn begin(&self, identity: Identity) -> Result<HeaderValue, NoRandom> {
        let value = secret::random()?;
        let now = Instant::now();
        let mut sessions = self.0.lock();
        sessions.retain(|_, session| session.lives(now));
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.used);
            if let Some(oldest) = oldest.map(|(digest, _)| *digest) {
                sessions.remove(&oldest);
            }
        }
        sessions.insert(digest(value.as_bytes()), Session { identity, began: now, used: now });
        Ok(cookie(&value, AGE_MAX))
    }

    /// Whose session a call belongs to.
    pub(super) fn of(&self, headers: &HeaderMap) -> Option<Identity> {
        let now = Instant::now();
        let mut sessions = self.0.lock();
        values(headers).find_map(|value| {
            let session = sessions.get_mut(&digest(value))?;
            if !session.lives(now) {
                return None;
            }
            session.used = now;
            Some(session.identity.clone())
        })
    }

    /// Whether the session that a call came with still lives; asking does not prolong it.
    pub(super) fn lives(&self, headers: &HeaderMap) -> bool {
        let now = Instant::now();
        let sessions = self.0.lock();
        values(headers)
            .any(|value| sessions.get(&digest(value)).is_some_and(|session| session.lives(now)))
    }

    /// Ends the call's session; answers the cookie that removes the browser's.
    pub(super) fn end(&self, headers: &HeaderMap) -> HeaderValue {
        let mut sessions = self.0.lock();
        for value in values(headers) {
            sessions.remove(&digest(value));
        }
        cookie("", Duration::ZERO)
    }
}

impl Session {
    fn lives(&self, now: Instant) -> bool {
        now.duration_since(self.used) < IDLE_MAX && now.duration_since(self.began) < AGE_MAX
    }
}

/// No script reads it and no other site's request carries it (RFC 6265bis). Not `Secure`: the
/// listener is on the loopback address, and plain.
fn cookie(value: &str, age: Duration) -> HeaderValue {
    let age = age.as_secs();
    let text = format!("{COOKIE}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict");
    // Hexadecimal and digits only.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// Values of our cookie; a browser may send several that were set for several paths.
fn values(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
    lines.filter(|line| line.len() <= COOKIES_BYTES_MAX).flat_map(|line| {
        line.split(|byte| *byte == b';').filter_map(|pair| {
            pair.trim_ascii().strip_prefix(COOKIE.as_bytes())?.strip_prefix(b"=")
        })
    })
}

fn digest(value: &[u8]) -> Digest {
    use aws_lc_rs::digest;
    let mut bytes = Digest::default();
    bytes.copy_from_slice(digest::digest(&digest::SHA256, value).as_ref());
    bytes
}

#[cfg(test)]
mod tests;
