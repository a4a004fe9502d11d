//! Logging in: the admin token or a password becomes a session.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use tokio::sync::Semaphore;

use super::attempts::{Attempts, Key};
use super::session::Identity;
use super::token::Token;
use crate::settings::User;

/// Passwords checked at once: each takes a core for some ten milliseconds and the memory that its
/// hash asks for.
const CHECKED_AT_ONCE: usize = 2;

/// Longest password, bytes: hashing is as slow as it is long.
const PASSWORD_BYTES_MAX: usize = 1024;

/// Checked where there is no such user, so that names can't be told apart by time. Nobody's: salt
/// and hash are of no password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ibw$\
     AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The door.
pub struct Login {
    users: Vec<User>,
    attempts: Attempts,
    checking: Arc<Semaphore>,
}

/// What somebody shows.
pub(super) enum Credentials {
    /// The admin token.
    Token(String),
    /// A user's name and password.
    Password { user: String, password: String },
}

/// Why somebody isn't let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejected {
    /// Wrong, or no such user.
    Unknown,
    /// Too many attempts; the next may be made after this time.
    TooMany(Duration),
}

// === impl Credentials ===

impl Credentials {
    /// Who it would be, for the audit log.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Token(_) => "token",
            Self::Password { user, .. } => user,
        }
    }
}

// === impl Login ===

impl Login {
    /// A door for these users, and for whoever has the token.
    pub fn new(users: Vec<User>) -> Self {
        let checking = Arc::new(Semaphore::new(CHECKED_AT_ONCE));
        Self { users, attempts: Attempts::default(), checking }
    }

    /// Who that is. Each try counts against the caller's address, and with a password against the
    /// name.
    pub(super) async fn enter(
        &self,
        credentials: Credentials,
        token: &Token,
        from: IpAddr,
    ) -> Result<Identity, Rejected> {
        let from = Key::of(from);
        match credentials {
            Credentials::Token(shown) => {
                self.attempts.count(std::slice::from_ref(&from)).map_err(Rejected::TooMany)?;
                if !token.matches(shown.as_bytes()) {
                    return Err(Rejected::Unknown);
                }
                self.attempts.forgive(&from);
                Ok(Identity::of_token())
            }
            Credentials::Password { user, password } => {
                let name = Key::Name(user.as_str().into());
                let keys = [from, name];
                self.attempts.count(&keys).map_err(Rejected::TooMany)?;
                let known = self.users.iter().find(|known| known.name == user);
                let hash = known.map_or(NOBODY, |user| &user.hash).to_owned();
                let right = self.check(hash, password).await;
                let Some(user) = known.filter(|_| right) else { return Err(Rejected::Unknown) };
                for key in &keys {
                    self.attempts.forgive(key);
                }
                Ok(Identity { name: user.name.as_str().into(), role: user.role })
            }
        }
    }

    async fn check(&self, hash: String, password: String) -> bool {
        if password.len() > PASSWORD_BYTES_MAX {
            return false;
        }
        // The semaphore is never closed.
        let Ok(turn) = Arc::clone(&self.checking).acquire_owned().await else { return false };
        let checked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            PasswordHash::new(&hash).is_ok_and(|hash| {
                Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
            })
        });
        checked.await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests;
