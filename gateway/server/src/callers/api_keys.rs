//! The API keys that are known, each with the name of its caller.
//!
//! A file with a line for each: `NAME KEY`, or `NAME sha256:HEX` where not even the file is to hold
//! the key. `#` begins a comment at the start of a line. At most [`KEYS_MAX`]. Kept and compared as
//! SHA-256: how long a comparison takes tells nothing of a key.

use std::collections::HashMap;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};

use super::key_file::Keys;
use super::{CallerName, CallersError};

/// Known keys at most.
pub const KEYS_MAX: usize = 10_000;

/// Known keys by their digest.
pub struct ApiKeys(HashMap<[u8; 32], CallerName>);

// === impl ApiKeys ===

impl Keys for ApiKeys {
    const SETTING: &'static str = "callers.api_keys";

    fn parse(path: &Path, text: &str) -> Result<Self, CallersError> {
        let mut keys = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let unusable = |message| CallersError::Unusable {
                setting: Self::SETTING,
                path: path.to_owned(),
                place: index + 1,
                message,
            };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, key) = line
                .split_once([' ', '\t'])
                .ok_or_else(|| unusable("write a name and a key, a space between them"))?;
            let key = key.trim();
            let digest = match key.strip_prefix("sha256:") {
                Some(hex) => from_hex(hex)
                    .ok_or_else(|| unusable("write 64 hexadecimal digits after `sha256:`"))?,
                None if key.contains(char::is_whitespace) => {
                    return Err(unusable("a key has no space in it"));
                }
                None => sha256(key.as_bytes()),
            };
            let name = CallerName::new(name)
                .ok_or_else(|| unusable("write a name of at most 256 visible ASCII characters"))?;
            if keys.insert(digest, name).is_some() {
                return Err(unusable("this key stands here twice; remove one of the two"));
            }
            if keys.len() > KEYS_MAX {
                return Err(unusable("write at most 10,000 keys"));
            }
        }
        Ok(Self(keys))
    }
}

impl ApiKeys {
    /// Whose key this is; `None`: nobody's.
    pub fn find(&self, key: &[u8]) -> Option<CallerName> {
        self.0.get(&sha256(key)).cloned()
    }
}

/// The digest of a secret.
fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let nibble = |digit: u8| char::from(digit).to_digit(16);
        *byte = (nibble(pair[0])? << 4 | nibble(pair[1])?) as u8;
    }
    Some(out)
}

#[cfg(test)]
mod tests;
