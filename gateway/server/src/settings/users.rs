//! Who may log in to the admin listener with a password: `name:role:hash`, as in an htpasswd file
//! with a role in between.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Params};

use super::values::{Wrong, wrong};

/// Most users. More people than this have a directory, and come through a proxy of their own.
pub(super) const USERS_MAX: usize = 100;

/// Longest name, bytes.
const NAME_BYTES_MAX: usize = 64;

/// Memory that checking one password may take, KiB. RFC 9106's first choice for servers is 2 GiB,
/// its second 64 MiB; two logins at once must not hurt the calls beside them.
const HASH_KIB_MAX: u32 = 256 * 1024;

/// Passes over that memory.
const HASH_PASSES_MAX: u32 = 16;

/// What somebody may do; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look.
    Viewer,
    /// Change policies and reservations, purge the cache.
    Editor,
    /// All of it, and read who did what.
    Admin,
}

/// Somebody who may log in.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// As written at login and in the audit log: `[a-z0-9][a-z0-9._@-]*`.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// Argon2id hash of the password in PHC format (RFC 9106).
    pub hash: String,
}

// === impl Role ===

impl Role {
    /// As written in settings and shown by the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Viewer, Self::Editor, Self::Admin].into_iter().find(|role| role.as_str() == text)
    }
}

// === impl User ===

/// Without the hash: it is a secret, if a slow one.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:***", self.name, self.role.as_str())
    }
}

/// Users, separated by commas. A part without a colon belongs to the one before it: hashes hold
/// commas, and never a colon. No message quotes a hash.
pub(super) fn users(text: &str) -> Result<Vec<User>, Wrong> {
    let mut written: Vec<String> = Vec::new();
    for part in text.split(',') {
        match written.last_mut() {
            Some(user) if !part.contains(':') => {
                user.push(',');
                user.push_str(part.trim());
            }
            _ => written.push(part.trim().to_owned()),
        }
    }
    written.retain(|user| !user.is_empty());
    if written.len() > USERS_MAX {
        return wrong(
            format!("{} users are too many", written.len()),
            format!("write at most {USERS_MAX}"),
        );
    }
    let mut users: Vec<User> = Vec::with_capacity(written.len());
    for text in written {
        let user = user(&text)?;
        if users.iter().any(|known| known.name == user.name) {
            return wrong(
                format!("the user `{}` is written twice", user.name),
                "remove one of the two",
            );
        }
        users.push(user);
    }
    Ok(users)
}

fn user(text: &str) -> Result<User, Wrong> {
    let mut parts = text.splitn(3, ':');
    let (name, role, hash) = (parts.next(), parts.next(), parts.next());
    let (Some(name), Some(role), Some(hash)) = (name, role, hash) else {
        return wrong(
            "a user is not `name:role:hash`",
            "write for example `jane:editor:$argon2id$…`; `sumun hash-password` makes the hash",
        );
    };
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let named = name.bytes().next().is_some_and(letter)
        && name.bytes().all(|b| letter(b) || b"._@-".contains(&b))
        && name.len() <= NAME_BYTES_MAX;
    if !named {
        return wrong(
            format!("`{name}` is no name of a user"),
            format!(
                "write a-z, 0-9 and . _ @ -, at most {NAME_BYTES_MAX}, a letter or digit first"
            ),
        );
    }
    let Some(role) = Role::parse(role) else {
        return wrong(
            format!("the user `{name}` has the role `{role}`, which there is not"),
            "write `viewer`, `editor` or `admin`",
        );
    };
    if !is_argon2id(hash) {
        return wrong(
            format!("the password of `{name}` is not an Argon2id hash within bounds"),
            "make one with `sumun hash-password`; a password itself never stands here",
        );
    }
    Ok(User { name: name.to_owned(), role, hash: hash.to_owned() })
}

/// Whether a login may be checked against this hash: the right algorithm, at a bounded cost.
fn is_argon2id(hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    let params = Params::try_from(&hash);
    Algorithm::try_from(hash.algorithm.as_str()) == Ok(Algorithm::Argon2id)
        && hash.hash.is_some()
        && params.is_ok_and(|p| p.m_cost() <= HASH_KIB_MAX && p.t_cost() <= HASH_PASSES_MAX)
}

#[cfg(test)]
mod tests;
