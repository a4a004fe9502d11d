//! The quantities of a policy: parsed once, then impossible to hold wrong.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::problem::quoted;

/// A text that could not be understood: why, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.help)
    }
}

impl std::error::Error for Misread {}

impl Misread {
    pub(crate) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// A share between 0 and 1, written as `85%`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// `None` outside 0..=1 or when not a number.
    pub fn from_ratio(ratio: f64) -> Option<Self> {
        (0.0..=1.0).contains(&ratio).then_some(Self(ratio))
    }

    /// Parses `85%` or `12.5%`: 0 to 100, at most two decimals.
    pub fn parse(text: &str) -> Result<Self, Misread> {
        let wrong = |help: String| Misread {
            message: format!("{} is not a percentage", quoted(text)),
            help,
        };
        let Some(number) = text.strip_suffix('%') else {
            return Err(wrong(match text.parse::<f64>() {
                Ok(share) if (0.0..=1.0).contains(&share) => {
                    format!("write `{}`", Self(share))
                }
                Ok(number) if (0.0..=100.0).contains(&number) => format!("write `{number}%`"),
                _ => "write a number with a percent sign, for example `85%`".to_owned(),
            }));
        };
        if number.ends_with(' ') && Self::parse(&format!("{}%", number.trim())).is_ok() {
            return Err(wrong(format!("write `{}%`", number.trim())));
        }
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || decimals.len() > 2 {
            return Err(wrong("write 0% to 100% with at most two decimals".to_owned()));
        }
        let ratio = number.parse::<f64>().ok().map(|percent| percent / 100.0);
        ratio.and_then(Self::from_ratio).ok_or_else(|| wrong("write 0% to 100%".to_owned()))
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

/// Parses `250ms`, `1s`, `2m` or `1h`: a whole number and one unit.
pub fn parse_duration(text: &str) -> Result<Duration, Misread> {
    let wrong = |help: &str| Misread {
        message: format!("{} is not a duration", quoted(text)),
        help: help.to_owned(),
    };
    let Some((number, unit)) = split_unit(text) else {
        return Err(wrong(if text.starts_with(|c: char| c.is_ascii_digit()) {
            "that is longer than any duration"
        } else {
            "write a whole number and a unit, for example `250ms`, `1s`, `2m`, `1h`"
        }));
    };
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" => return Err(wrong(&format!("add a unit: `{number}s` or `{number}ms`"))),
        "d" => return Err(wrong("there are no days; write hours, for example `24h`")),
        _ if unit.starts_with(['.', ',']) => {
            return Err(wrong("write a whole number of a smaller unit, as `1500ms` for 1.5 s"));
        }
        _ if unit.contains(|c: char| c.is_ascii_digit()) => {
            return Err(wrong("write one number and one unit, as `90s` for 1 m 30 s"));
        }
        _ => {
            return Err(match meant_by(unit, &DURATION_WORDS) {
                Some(unit) => wrong(&format!("write `{number}{unit}`")),
                None => wrong("the units are `ms`, `s`, `m` and `h`"),
            });
        }
    };
    number
        .checked_mul(unit_ms)
        .map(Duration::from_millis)
        .ok_or_else(|| wrong("that is longer than any duration"))
}

/// A duration as it is written in a policy; fractions of a millisecond are dropped.
pub fn show_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0 => "0ms".to_owned(),
        ms if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        ms if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        ms if ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
        ms => format!("{ms}ms"),
    }
}

/// Parses a size in bytes: `512B`, `1KiB`, `64MiB` or `1GiB`.
pub fn parse_bytes(text: &str) -> Result<u64, Misread> {
    let wrong = |help: &str| Misread {
        message: format!("{} is not a size", quoted(text)),
        help: help.to_owned(),
    };
    let Some((number, unit)) = split_unit(text) else {
        return Err(wrong(if text.starts_with(|c: char| c.is_ascii_digit()) {
            "that is larger than any size"
        } else {
            "write a whole number and a unit, for example `512B`, `1KiB`, `64MiB`"
        }));
    };
    let shift = match unit {
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "" => return Err(wrong(&format!("add a unit: `{number}B` or `{number}KiB`"))),
        _ if unit.starts_with(['.', ',']) => {
            return Err(wrong("write a whole number of a smaller unit, as `512KiB` for 0.5 MiB"));
        }
        _ => {
            return Err(match meant_by(unit, &SIZE_WORDS) {
                Some(unit) => wrong(&format!("write `{number}{unit}`")),
                None => wrong("the units are `B`, `KiB`, `MiB` and `GiB`"),
            });
        }
    };
    number.checked_mul(1 << shift).ok_or_else(|| wrong("that is larger than any size"))
}

/// A size as it is written in a policy.
pub fn show_bytes(bytes: u64) -> String {
    match bytes {
        0 => "0B".to_owned(),
        n if n.is_multiple_of(1 << 30) => format!("{}GiB", n >> 30),
        n if n.is_multiple_of(1 << 20) => format!("{}MiB", n >> 20),
        n if n.is_multiple_of(1 << 10) => format!("{}KiB", n >> 10),
        n => format!("{n}B"),
    }
}

/// Units and what else people write for them, in lower case.
type Words = [(&'static str, &'static [&'static str]); 4];

const DURATION_WORDS: Words = [
    ("ms", &["ms", "msec", "millis", "millisecond", "milliseconds"]),
    ("s", &["s", "sec", "secs", "second", "seconds"]),
    ("m", &["m", "min", "mins", "minute", "minutes"]),
    ("h", &["h", "hr", "hrs", "hour", "hours"]),
];

const SIZE_WORDS: Words = [
    ("B", &["b", "byte", "bytes"]),
    ("KiB", &["k", "ki", "kb", "kib"]),
    ("MiB", &["m", "mi", "mb", "mib"]),
    ("GiB", &["g", "gi", "gb", "gib"]),
];

/// The unit that was probably meant.
fn meant_by(word: &str, words: &Words) -> Option<&'static str> {
    let word = word.trim().to_ascii_lowercase();
    words.iter().find(|(_, all)| all.contains(&word.as_str())).map(|(unit, _)| *unit)
}

/// Splits `250ms` into 250 and `ms`; `None` without digits, with a sign or fraction, or where the
/// number is too large.
fn split_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    Some((digits.parse().ok()?, unit))
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

#[cfg(test)]
mod tests;
