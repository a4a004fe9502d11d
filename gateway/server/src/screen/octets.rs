//! Which bytes may stand where: tables for names and hosts, eight bytes at a time for lines and
//! targets.

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

/// True for `unreserved` (RFC 3986 §2.3).
pub(super) static IS_UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let mark = matches!(byte as u8, b'-' | b'.' | b'_' | b'~');
        table[byte] = mark || (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    table
};

/// RFC 9110 §5.6.2, with `_`.
pub(super) fn is_tchar(byte: u8) -> bool {
    NAME_CLASS[usize::from(byte)] != 0
}

/// How long the text before CR LF is, where `bytes` begin with a line that has nothing but HTAB, SP,
/// VCHAR and obs-text (RFC 9110 §5.5): what may stand in any line. `None` for every other beginning.
#[inline]
pub(super) fn clean_line(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += first_control(&bytes[at..])?;
        match bytes[at..] {
            [b'\t', ..] => at += 1,
            [b'\r', b'\n', ..] => return Some(at),
            _ => return None,
        }
    }
}

/// The first byte that may not stand in a line, if there is one.
pub(super) fn check_text(text: &[u8]) -> Result<(), Malformed> {
    text.iter().find_map(|byte| control_fault(*byte)).map_or(Ok(()), Err)
}

/// Nothing but visible ASCII, and no `#`: what a request target may have (RFC 9112 §3.2; a fragment
/// is never sent). Of what no URI may have (RFC 3986 §2) those marks are refused that the parser
/// refuses, too: `<` and `>`, a grave accent in the path, a quote in the query.
///
/// The last word overlaps the one before it, which is cheaper than up to seven single bytes.
#[inline]
pub(super) fn is_target_text(target: &[u8]) -> bool {
    let Some(last) = target.last_chunk::<8>() else { return is_odd_target_text(target) };
    let (words, _) = target.as_chunks::<8>();
    words.iter().chain([last]).all(|word| odd_in_targets(u64::from_le_bytes(*word)) == 0)
        || is_odd_target_text(target)
}

/// The same of a target that is short, or has bytes that are odd at some place.
#[cold]
fn is_odd_target_text(target: &[u8]) -> bool {
    let path_end = target.iter().position(|byte| *byte == b'?').unwrap_or(target.len());
    target.iter().enumerate().all(|(at, byte)| match byte {
        b'#' | b'<' | b'>' => false,
        b'`' => at > path_end,
        b'"' => at < path_end,
        _ => byte.is_ascii_graphic(),
    })
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

/// Where the first byte below 0x20 or equal to 0x7F is.
#[inline]
fn first_control(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let controls = controls(u64::from_le_bytes(*word));
        if controls != 0 {
            return Some(at * 8 + controls.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(u8::is_ascii_control).map(|at| words.len() * 8 + at)
}

/// The lowest high bit that is set is that of the first byte below 0x20 or equal to 0x7F.
fn controls(word: u64) -> u64 {
    (below(word, 0x20) | equal(word, 0x7F)) & HIGHS
}

fn odd_in_targets(word: u64) -> u64 {
    let quotes = equal(word, b'"') | equal(word, b'`');
    // `<` and `>` differ in one bit.
    let angles = equal(word | ONES << 1, b'>');
    (word | below(word, 0x21) | equal(word, 0x7F) | equal(word, b'#') | quotes | angles) & HIGHS
}

/// The lowest high bit that is set is that of the first byte less than `limit` (≤ 0x80). Bits above
/// it may be wrong: a borrow can only come out of a byte that is itself less.
fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES.wrapping_mul(u64::from(limit))) & !word
}

fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ ONES.wrapping_mul(u64::from(byte)), 1)
}
