//! Random secrets that are handed out once and only compared after that.

use std::fmt::Write as _;

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("no random bytes for a secret")]
pub struct NoRandom;

/// 256 random bits in hexadecimal.
pub(super) fn random() -> Result<String, NoRandom> {
    let mut bytes = [0_u8; 32];
    rustls::crypto::aws_lc_rs::default_provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| NoRandom)?;
    let mut text = String::with_capacity(64);
    for byte in bytes {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
