//! Who calls: where a caller's identity is read, and what it may do.

use std::fmt;
use std::path::PathBuf;

use http::HeaderName;

use super::values::{Wrong, wrong};

/// Sources at most: each is looked at, in turn, for a call without an identity.
const SOURCES_MAX: usize = 8;

/// Names that may raise their class at most.
const NAMES_MAX: usize = 256;

/// Bytes of a caller's name at most: a SPIFFE id of a usual length, or two UUIDs and some.
pub const NAME_BYTES_MAX: usize = 256;

/// Who calls.
#[derive(Clone, Debug)]
pub struct CallersSettings {
    /// Where the identity is read; the first that gives one wins. Default: the mTLS subject.
    pub by: Vec<CallerSource>,
    /// Whose unverified claims count.
    pub believe: Believe,
    /// Callers remembered of one route with `per: caller`. Default 10,000.
    pub callers_max: usize,
    /// Names whose `Sumun-Class` may raise the class of a call. Default: none.
    pub may_raise: Vec<Box<str>>,
    /// JWKS file of the keys that sign tokens; `None`: a token is an unverified claim.
    pub jwt_keys: Option<PathBuf>,
    /// File of the known API keys; `None`: an API key is an unverified claim.
    pub api_keys: Option<PathBuf>,
}

/// Where a caller's identity is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallerSource {
    /// The value of a header.
    Header(HeaderName),
    /// The common name of the client certificate's subject.
    MtlsSubject,
    /// The first URI, else the first DNS name, of the client certificate's alternative names.
    MtlsSan,
    /// A claim of the bearer token in `Authorization`.
    Jwt(Box<str>),
    /// A secret in a header.
    ApiKey(HeaderName),
    /// The address of the connection.
    Peer,
}

/// Whose unverified claims count: a header, a token without `jwt_keys`, an API key without `api_keys`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Believe {
    /// Those that come from `trusted_proxies`.
    #[default]
    TrustedProxies,
    /// Anybody's, though never for raising a class.
    Anyone,
}

// === impl CallersSettings ===

impl Default for CallersSettings {
    fn default() -> Self {
        Self {
            by: vec![CallerSource::MtlsSubject],
            believe: Believe::default(),
            callers_max: sumun_engine::rate::callers::CALLERS_MAX,
            may_raise: Vec::new(),
            jwt_keys: None,
            api_keys: None,
        }
    }
}

impl CallersSettings {
    /// Whether a source's word is only a claim.
    pub fn is_claim(&self, source: &CallerSource) -> bool {
        match source {
            CallerSource::Header(_) => true,
            CallerSource::Jwt(_) => self.jwt_keys.is_none(),
            CallerSource::ApiKey(_) => self.api_keys.is_none(),
            CallerSource::MtlsSubject | CallerSource::MtlsSan | CallerSource::Peer => false,
        }
    }
}

impl fmt::Display for CallerSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::MtlsSubject => f.write_str("mtls:subject"),
            Self::MtlsSan => f.write_str("mtls:san"),
            Self::Jwt(claim) => write!(f, "jwt:{claim}"),
            Self::ApiKey(name) => write!(f, "api_key:{name}"),
            Self::Peer => f.write_str("peer:address"),
        }
    }
}

impl Believe {
    /// As it is written.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::TrustedProxies => "trusted_proxies",
            Self::Anyone => "anyone",
        }
    }
}

const SOURCE_HELP: &str = "write `header:NAME`, `mtls:subject`, `mtls:san`, `jwt:CLAIM`, \
                           `api_key:HEADER` or `peer:address`";

pub(super) fn sources(text: &str) -> Result<Vec<CallerSource>, Wrong> {
    let mut sources: Vec<CallerSource> = Vec::new();
    for item in items(text) {
        let source = source(item)?;
        if sources.contains(&source) {
            return wrong(format!("`{item}` is written twice"), "remove one of the two");
        }
        sources.push(source);
    }
    if sources.len() > SOURCES_MAX {
        let message = format!("{} sources are too many", sources.len());
        return wrong(message, format!("write at most {SOURCES_MAX}"));
    }
    Ok(sources)
}

fn source(text: &str) -> Result<CallerSource, Wrong> {
    let fail = || Wrong {
        message: format!("`{text}` says nothing that tells a caller"),
        help: SOURCE_HELP.to_owned(),
    };
    let (kind, what) = text.split_once(':').ok_or_else(fail)?;
    let what = what.trim();
    let header = || what.parse::<HeaderName>().map_err(|_| fail());
    Ok(match (kind, what) {
        ("header", _) => CallerSource::Header(header()?),
        ("api_key", _) => CallerSource::ApiKey(header()?),
        ("mtls", "subject") => CallerSource::MtlsSubject,
        ("mtls", "san") => CallerSource::MtlsSan,
        ("peer", "address") => CallerSource::Peer,
        ("jwt", claim) if is_name(claim) => CallerSource::Jwt(claim.into()),
        _ => return Err(fail()),
    })
}

pub(super) fn believe(text: &str) -> Result<Believe, Wrong> {
    match text {
        "trusted_proxies" => Ok(Believe::TrustedProxies),
        "anyone" => Ok(Believe::Anyone),
        _ => wrong(
            format!("`{text}` is nobody who can be believed"),
            "write `trusted_proxies` or `anyone`",
        ),
    }
}

pub(super) fn names(text: &str) -> Result<Vec<Box<str>>, Wrong> {
    let names: Vec<&str> = items(text).collect();
    if names.len() > NAMES_MAX {
        let message = format!("{} names are too many", names.len());
        return wrong(message, format!("write at most {NAMES_MAX}"));
    }
    match names.iter().find(|name| !is_name(name)) {
        Some(name) => wrong(
            format!("`{name}` is not a caller's name"),
            format!(
                "write at most {NAME_BYTES_MAX} visible ASCII characters, without quotes, \
                 commas, braces and `$`"
            ),
        ),
        None => Ok(names.into_iter().map(Into::into).collect()),
    }
}

/// A name that can be written in a list, in a flag and in `sumun config` alike.
fn is_name(text: &str) -> bool {
    let visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| visible(byte) && !b"'\"`,[]{}$".contains(&byte))
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Names as a list of YAML shows them: quoted, as one may hold a `#` or `: `.
pub(super) fn show_names(names: &[Box<str>]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}
