//! Reads the corpora beside this file: one case a line, `name | word code | bytes`.
//!
//! Shared by unit and integration tests through `#[path]`, so that both speak of the same bytes.

/// One line of a corpus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Unique in its file.
    pub name: &'static str,
    /// What the file's first line says: a status, a method, a number.
    pub word: &'static str,
    /// What is expected of the case.
    pub code: &'static str,
    /// What goes over the wire.
    pub bytes: Vec<u8>,
}

/// Requests that must be refused; `word` is the status.
pub fn hostile_requests() -> Vec<Case> {
    read(include_str!("hostile-requests.txt"))
}

/// Answers that must be refused; `word` is the method they answer.
pub fn hostile_responses() -> Vec<Case> {
    read(include_str!("hostile-responses.txt"))
}

/// Requests that must pass; `word` is the number of heads, `code` is `boundary`, `head` or `body`.
pub fn valid_requests() -> Vec<Case> {
    read(include_str!("valid-requests.txt"))
}

/// Answers that must pass; `word` is the method, `code` is `reusable` or `open`.
pub fn valid_responses() -> Vec<Case> {
    read(include_str!("valid-responses.txt"))
}

fn read(text: &'static str) -> Vec<Case> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(read_line).collect()
}

fn read_line(line: &'static str) -> Case {
    let mut columns = line.splitn(3, " | ");
    let mut next = || columns.next().unwrap_or_else(|| panic!("three columns in {line:?}"));
    let (name, verdict, escaped) = (next(), next(), next());
    let (word, code) = verdict.split_once(' ').unwrap_or_else(|| panic!("two words in {line:?}"));
    let mut bytes = Vec::new();
    let rest = unescape(escaped.as_bytes(), &mut bytes, false);
    assert!(rest.is_empty(), "unbalanced brace in {line:?}");
    Case { name, word, code, bytes }
}

/// Appends what `escaped` stands for, up to its end or, inside a repetition, after its brace.
fn unescape<'a>(mut escaped: &'a [u8], into: &mut Vec<u8>, repeated: bool) -> &'a [u8] {
    while let [byte, rest @ ..] = escaped {
        escaped = rest;
        match (*byte, rest) {
            (b'}', _) if repeated => return rest,
            (b'\\', [b'{', count @ ..]) => escaped = repeat(count, into),
            (b'\\', [b'x', high, low, tail @ ..]) => {
                into.push(hex(*high) << 4 | hex(*low));
                escaped = tail;
            }
            (b'\\', [mark, tail @ ..]) => {
                into.push(match mark {
                    b'r' => b'\r',
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'0' => 0,
                    b'\\' => b'\\',
                    _ => panic!("unknown escape \\{}", char::from(*mark)),
                });
                escaped = tail;
            }
            _ => into.push(*byte),
        }
    }
    assert!(!repeated, "a repetition without its brace");
    escaped
}

/// `N text}`.
fn repeat<'a>(escaped: &'a [u8], into: &mut Vec<u8>) -> &'a [u8] {
    let space = escaped.iter().position(|byte| *byte == b' ').expect("a space after the count");
    let digits = std::str::from_utf8(&escaped[..space]).expect("a count in ASCII");
    let count: usize = digits.parse().expect("a count");
    let mut once = Vec::new();
    let rest = unescape(&escaped[space + 1..], &mut once, true);
    into.extend(once.repeat(count));
    rest
}

fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).expect("a hexadecimal digit") as u8
}
