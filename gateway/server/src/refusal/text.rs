//! Texts of a refusal, put together without the formatting machinery: a refusal must cost a fraction
//! of a forwarded call, and most of it would be spent formatting.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use crate::hex;

/// A text under construction, ASCII only.
#[derive(Default)]
pub struct Text(Vec<u8>);

// === impl Text ===

impl Text {
    /// Room for `bytes` without growing.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Empty again, with the same room.
    #[must_use]
    pub fn cleared(mut self) -> Self {
        self.0.clear();
        self
    }

    /// Appends a text.
    #[must_use]
    pub fn put(mut self, text: &str) -> Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// Appends a whole number.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        let mut buffer = itoa::Buffer::new();
        self.put(buffer.format(number))
    }

    /// Appends a figure for people: four decimals at most; what is no figure as 0.
    #[must_use]
    pub fn figure(self, value: f64) -> Self {
        /// Beyond this nothing is measured here; the product below stays exact.
        const FIGURE_MAX: f64 = 1e12;
        let bounded = if value.is_finite() { value.clamp(-FIGURE_MAX, FIGURE_MAX) } else { 0.0 };
        let whole = bounded as u64;
        if (whole as f64).to_bits() == bounded.to_bits() {
            return self.number(whole); // most limits are whole, and so is what is counted
        }
        let scaled = (bounded.abs() * 1e4).round() as u64;
        let sign = if bounded < 0.0 && scaled > 0 { "-" } else { "" };
        let mut text = self.put(sign).number(scaled / 10_000);
        let mut fraction = scaled % 10_000;
        let mut digits = 4;
        while digits > 0 && fraction.is_multiple_of(10) {
            (fraction, digits) = (fraction / 10, digits - 1);
        }
        if digits > 0 {
            let mut decimals = [b'0'; 4];
            for place in decimals[..digits].iter_mut().rev() {
                *place += (fraction % 10) as u8;
                fraction /= 10;
            }
            text.0.push(b'.');
            text.0.extend_from_slice(&decimals[..digits]);
        }
        text
    }

    /// Appends 32 hexadecimal digits.
    #[must_use]
    pub fn hex(mut self, id: u128) -> Self {
        self.0.extend_from_slice(&hex::of_u128(id));
        self
    }

    /// Appends a partition key: eight bytes as a Byte Sequence (RFC 9651 §3.3.5).
    #[must_use]
    pub fn partition(self, key: u64) -> Self {
        let mut digits = [0; 12];
        // Eight bytes take twelve digits, and digits are ASCII.
        let written = STANDARD.encode_slice(key.to_be_bytes(), &mut digits).unwrap_or(0);
        let digits = str::from_utf8(&digits[..written]).unwrap_or_default();
        self.put(";pk=:").put(digits).put(":")
    }

    /// The bytes so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes.
    pub fn into_bytes(self) -> bytes::Bytes {
        self.0.into()
    }

    /// As a field value; our own texts are valid ones.
    pub fn into_value(self) -> HeaderValue {
        HeaderValue::from_maybe_shared(self.into_bytes())
            .unwrap_or_else(|_| HeaderValue::from_static("sumun"))
    }
}

#[cfg(test)]
mod tests;
