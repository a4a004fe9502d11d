//! Ids in lower-case hexadecimal, written and read without a loop that shifts 128 bits a digit.

/// What a byte is worth as a digit; [`NO_DIGIT`] where it is none.
static WORTH: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let digits = b"0123456789abcdef";
    let mut at = 0;
    while at < digits.len() {
        table[digits[at] as usize] = at as u8;
        at += 1;
    }
    table
};

/// Higher than every digit's bits.
const NO_DIGIT: u8 = 0x80;

/// All 32 digits.
pub fn of_u128(id: u128) -> [u8; 32] {
    let mut text = [0; 32];
    text[..16].copy_from_slice(&of_u64((id >> 64) as u64));
    text[16..].copy_from_slice(&of_u64(id as u64));
    text
}

/// All 16 digits.
pub fn of_u64(id: u64) -> [u8; 16] {
    let mut text = [0; 16];
    text[..8].copy_from_slice(&eight((id >> 32) as u32));
    text[8..].copy_from_slice(&eight(id as u32));
    text
}

/// Up to 16 digits as a number; `None` where one is no lower-case digit, or there are more.
pub fn read(digits: &[u8]) -> Option<u64> {
    let (number, seen) = digits.iter().fold((0, 0), |(number, seen), digit| {
        let worth = WORTH[usize::from(*digit)];
        (number << 4 | u64::from(worth & 15), seen | worth)
    });
    (seen & NO_DIGIT == 0 && digits.len() <= 16).then_some(number)
}

/// Spreads the nibbles over eight bytes, then makes digits of all of them at once.
fn eight(number: u32) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut bytes = u64::from(number);
    bytes = (bytes | bytes << 16) & 0x0000_ffff_0000_ffff;
    bytes = (bytes | bytes << 8) & 0x00ff_00ff_00ff_00ff;
    bytes = (bytes | bytes << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // Six more than nine reaches the next bit: there a letter is due.
    let letters = (bytes + 6 * ONES) >> 4 & ONES;
    (bytes + u64::from(b'0') * ONES + letters * u64::from(b'a' - b'9' - 1)).to_be_bytes()
}

#[cfg(test)]
mod tests;
