//! Which bytes may stand where: tables for names, eight bytes at a time for values and targets.

use super::Malformed;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Class of a byte in a field name.
pub(super) const TOKEN: u8 = 1;
pub(super) const UNDERSCORE: u8 = 2;

/// `tchar` (RFC 9110 §5.6.2) is [`TOKEN`], but `_` has a class of its own: servers that turn names
/// into variables cannot tell it from `-`.
pub(super) static NAME_CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if (byte as u8).is_ascii_alphanumeric() {
            table[byte] = TOKEN;
        }
        byte += 1;
    }
    let marks = b"!#$%&'*+-.^`|~";
    let mut at = 0;
    while at < marks.len() {
        table[marks[at] as usize] = TOKEN;
        at += 1;
    }
    table[b'_' as usize] = UNDERSCORE;
    table
};

/// RFC 9110 §5.6.2, with `_`.
pub(super) fn is_tchar(byte: u8) -> bool {
    NAME_CLASS[usize::from(byte)] != 0
}

/// Nothing but HTAB, SP, VCHAR and obs-text (RFC 9110 §5.5): what a field value or a reason phrase
/// may have. Names the first fault.
#[inline]
pub(super) fn check_text(text: &[u8]) -> Result<(), Malformed> {
    if any_word(text, may_have_control).unwrap_or(true) { check_each(text) } else { Ok(()) }
}

/// Nothing but visible ASCII, and no `#`: what a request target may have (RFC 9112 §3.2; a fragment
/// is never sent).
#[inline]
pub(super) fn is_target_text(target: &[u8]) -> bool {
    match any_word(target, has_non_target) {
        Some(found) => !found,
        None => target.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#'),
    }
}

/// The name of a fault for a byte that may not stand in a head at all.
pub(super) fn control_fault(byte: u8) -> Option<Malformed> {
    match byte {
        b'\r' => Some(Malformed::BareCr),
        b'\n' => Some(Malformed::BareLf),
        0 => Some(Malformed::Nul),
        b'\t' => None,
        _ if byte.is_ascii_control() => Some(Malformed::Control),
        _ => None,
    }
}

/// Without optional white space (SP, HTAB) at both ends (RFC 9110 §5.6.3).
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Whether `found` says so of any eight bytes; `None` where there are fewer. The last word overlaps
/// the one before it, which is cheaper than up to seven single bytes.
#[inline]
fn any_word(bytes: &[u8], found: impl Fn(u64) -> bool) -> Option<bool> {
    let last = bytes.last_chunk::<8>()?;
    let (words, _) = bytes.as_chunks::<8>();
    Some(words.iter().chain([last]).any(|word| found(u64::from_le_bytes(*word))))
}

#[cold]
fn check_each(bytes: &[u8]) -> Result<(), Malformed> {
    bytes.iter().find_map(|byte| control_fault(*byte)).map_or(Ok(()), Err)
}

/// True where a byte is below 0x20 or is 0x7F. HTAB is among them, hence "may".
fn may_have_control(word: u64) -> bool {
    (below(word, 0x20) | equal(word, 0x7F)) & HIGHS != 0
}

fn has_non_target(word: u64) -> bool {
    (word | below(word, 0x21) | equal(word, 0x7F) | equal(word, b'#')) & HIGHS != 0
}

/// The high bit of at least one byte is set exactly if some byte is less than `limit` (≤ 0x80):
/// a borrow can only come out of a byte that is itself less.
fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES.wrapping_mul(u64::from(limit))) & !word
}

fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ ONES.wrapping_mul(u64::from(byte)), 1)
}
