//! Who calls, and what it may ask for.
//!
//! An identity is looked for only where something depends on it: thresholds of the route, or a
//! `Sumun-Class` that asks for more. It is a keyed hash, for the engine, and where it is no secret a
//! short name, for the access log, traces and `callers.may_raise`. The key is drawn when the process
//! starts, so nobody can choose a name that shares another's bucket.
//!
//! Bounds: a name has at most [`NAME_BYTES_MAX`] visible ASCII bytes, what is longer or anything else
//! is no identity; a token has at most [`token::TOKEN_BYTES_MAX`]; a worker remembers
//! [`token::TOKENS_MAX`] tokens that it has read.

pub mod api_keys;
pub mod certificate;
pub mod class;
mod key_file;
pub mod token;

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::Notify;

use self::api_keys::ApiKeys;
use self::certificate::CertificateNames;
use self::key_file::{KeyFile, POLL};
use self::token::{TokenKeys, Tokens};
use crate::clock::Clock;
use crate::settings::{Believe, CallerSource, CallersSettings, NAME_BYTES_MAX};

/// Tells callers apart; one for the process.
pub struct Callers {
    settings: CallersSettings,
    /// Drawn at the start.
    key: RandomState,
    token_keys: Option<KeyFile<TokenKeys>>,
    api_keys: Option<KeyFile<ApiKeys>>,
    /// Asks for a look at the files.
    asked: Notify,
}

/// A file of keys that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CallersError {
    /// It can't be read.
    #[error("{setting} {path} can't be read; name a file of at most 1MiB that this user may read")]
    Unreadable {
        /// `callers.jwt_keys` or `callers.api_keys`.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no JWKS.
    #[error("callers.jwt_keys {path} is no JWKS (RFC 7517); write {{\"keys\": [{{\"kty\": …}}]}}")]
    Jwks {
        /// The file.
        path: PathBuf,
        /// Why, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// What it says can't be used.
    #[error("{setting} {path}:{place}: {message}")]
    Unusable {
        /// `callers.jwt_keys` or `callers.api_keys`.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// The line, or the key's number, from 1.
        place: usize,
        /// What is wrong, and what to write; never the key.
        message: &'static str,
    },
}

/// What is known about a call that may tell who makes it.
pub struct Signs<'a> {
    /// Its fields.
    pub headers: &'a HeaderMap,
    /// The client certificate's names, verified by the handshake.
    pub certificate: Option<&'a CertificateNames>,
    /// `X-Forwarded-For` of the connection: the peer's address.
    pub address: &'a HeaderValue,
    /// Whether it comes from `trusted_proxies`.
    pub proxied: bool,
    /// What this worker knows of tokens.
    pub tokens: &'a RefCell<Tokens>,
    /// The time, for tokens that expire.
    pub clock: &'a Clock,
}

/// Who calls.
#[derive(Clone, Debug)]
pub struct Identity {
    /// A hash under this process's key: of the name or secret, and of what kind of source said it.
    pub hash: u64,
    /// Its name, where that is no secret.
    pub name: Option<CallerName>,
    /// Whether it is more than a stranger's claim.
    pub proven: bool,
}

/// A caller's name: 1 to [`NAME_BYTES_MAX`] visible ASCII bytes and spaces. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerName(HeaderValue);

// === impl Callers ===

impl Callers {
    /// Reads the key files.
    pub fn new(settings: &CallersSettings) -> Result<Self, CallersError> {
        Ok(Self {
            token_keys: settings.jwt_keys.as_deref().map(KeyFile::load).transpose()?,
            api_keys: settings.api_keys.as_deref().map(KeyFile::load).transpose()?,
            settings: settings.clone(),
            key: RandomState::new(),
            asked: Notify::new(),
        })
    }

    /// Reads the key files again when they change, for as long as the process runs. Returns at once
    /// where there are none.
    pub async fn follow_keys(self: Arc<Self>) {
        if self.token_keys.is_none() && self.api_keys.is_none() {
            return;
        }
        loop {
            let _ = tokio::time::timeout(POLL, self.asked.notified()).await;
            let this = Arc::clone(&self);
            // A panic in it has been printed; the next look may be better.
            let _ = tokio::task::spawn_blocking(move || {
                this.token_keys.iter().for_each(KeyFile::look);
                this.api_keys.iter().for_each(KeyFile::look);
            })
            .await;
        }
    }

    /// Asks for a look at the key files now.
    pub fn ask_for_keys(&self) {
        self.asked.notify_one();
    }

    /// What is wrong with the key files; where something is, older keys are used.
    pub fn key_problems(&self) -> Vec<String> {
        let tokens = self.token_keys.as_ref().and_then(KeyFile::problem);
        let api = self.api_keys.as_ref().and_then(KeyFile::problem);
        tokens.into_iter().chain(api).collect()
    }

    /// Who makes a call: what the first source says that says anything.
    pub fn identify(&self, signs: &Signs<'_>) -> Option<Identity> {
        self.settings.by.iter().find_map(|source| {
            let claim = self.settings.is_claim(source);
            if claim && !signs.proxied && self.settings.believe == Believe::TrustedProxies {
                return None;
            }
            let proven = !claim || signs.proxied;
            let named = |name: CallerName| {
                let hash = self.hash(source, name.0.as_bytes());
                Identity { hash, name: Some(name), proven }
            };
            match source {
                CallerSource::Header(field) => {
                    CallerName::of(only(signs.headers, field)?).map(named)
                }
                CallerSource::MtlsSubject => signs.certificate?.subject.clone().map(named),
                CallerSource::MtlsSan => signs.certificate?.alternative.clone().map(named),
                CallerSource::Jwt(claim) => self.token(claim, signs).map(named),
                CallerSource::ApiKey(field) => {
                    let secret = only(signs.headers, field)?.as_bytes();
                    match &self.api_keys {
                        Some(file) => file.keys().find(secret).map(named),
                        None if secret.is_empty() => None,
                        None => {
                            Some(Identity { hash: self.hash(source, secret), name: None, proven })
                        }
                    }
                }
                CallerSource::Peer => CallerName::of(signs.address).map(named),
            }
        })
    }

    /// Whether a caller's `Sumun-Class` may raise the class of its calls.
    pub fn may_raise(&self, identity: &Identity) -> bool {
        let listed = |name: &CallerName| {
            self.settings.may_raise.iter().any(|listed| **listed == *name.as_str())
        };
        identity.proven && identity.name.as_ref().is_some_and(listed)
    }

    /// Whether anybody may.
    pub fn anybody_may_raise(&self) -> bool {
        !self.settings.may_raise.is_empty()
    }

    fn token(&self, claim: &str, signs: &Signs<'_>) -> Option<CallerName> {
        let token = token::bearer(only(signs.headers, &http::header::AUTHORIZATION)?)?;
        let mut tokens = signs.tokens.borrow_mut();
        let keys = self.token_keys.as_ref().map(KeyFile::keys);
        tokens.read(token, claim, keys.as_deref().map(|keys| &**keys), signs.clock.wall())
    }

    /// Of what was said and of the kind of source that said it: one's header is not another's token.
    fn hash(&self, source: &CallerSource, what: &[u8]) -> u64 {
        let kind = match source {
            CallerSource::Header(_) => 0_u8,
            CallerSource::MtlsSubject => 1,
            CallerSource::MtlsSan => 2,
            CallerSource::Jwt(_) => 3,
            CallerSource::ApiKey(_) => 4,
            CallerSource::Peer => 5,
        };
        self.key.hash_one((kind, what))
    }
}

/// A field that is there once: of two, nobody knows which one the proxy wrote.
fn only<'a>(headers: &'a HeaderMap, field: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(field).iter();
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// Reads a file of keys, at most 1 MiB.
fn read_keys(setting: &'static str, path: &std::path::Path) -> Result<String, CallersError> {
    use std::io::Read as _;
    /// Ten thousand keys take 700 KiB.
    const BYTES_MAX: u64 = 1 << 20;
    let failed = |source| CallersError::Unreadable { setting, path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
    }
    Ok(text)
}

// === impl CallerName ===

impl CallerName {
    /// The name in a field's value.
    pub fn of(value: &HeaderValue) -> Option<Self> {
        Self::fits(value.as_bytes()).then(|| Self(value.clone()))
    }

    /// A name as a text.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        Self::fits(text.as_bytes()).then(|| HeaderValue::from_str(text).ok())?.map(Self)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Only what is visible ASCII has become a name.
        self.0.to_str().unwrap_or_default()
    }

    fn fits(bytes: &[u8]) -> bool {
        (1..=NAME_BYTES_MAX).contains(&bytes.len())
            && bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')
    }
}

#[cfg(test)]
mod tests;
