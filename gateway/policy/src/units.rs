//! The quantities of a policy: parsed once, then impossible to hold wrong.

use std::fmt;
use std::sync::Arc;

/// A share between 0 and 1, written as `85%`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// `None` outside 0..=1 or when not a number.
    pub fn from_ratio(ratio: f64) -> Option<Self> {
        (0.0..=1.0).contains(&ratio).then_some(Self(ratio))
    }

    /// The share as a ratio, 0..=1.
    pub fn ratio(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Two decimals at most, none where the share is whole: `85%`, `12.5%`.
        let hundredths = (self.0 * 10_000.0).round();
        write!(f, "{}%", hundredths / 100.0)
    }
}

/// The stable name of a route, function or upstream: `[a-z0-9]` then up to 62 of `[a-z0-9._-]`.
///
/// Names are the only request-independent labels there are: metrics, logs and live state use them.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

impl Name {
    /// Longest name, bytes. Keeps metric labels and log lines short.
    pub const LEN_MAX: usize = 63;

    /// `None` where the text is not a valid name.
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = text.bytes();
        let first_ok = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let rest_ok =
            bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
        (first_ok && rest_ok && text.len() <= Self::LEN_MAX).then(|| Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}
