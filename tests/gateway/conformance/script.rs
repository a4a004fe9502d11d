//! How a row is written, line by line, fields separated by ` | `:
//!
//! - `keys: K`: the keys under `cache` (none where the line is absent); after `; ` keys of the route.
//! - `alone`: a gateway of its own.
//! - `trusted`: one that trusts its clients as proxies.
//! - `< STATUS | name: value …`: what the origin answers when it is asked next. `body: text` is the
//!   body; without it the body of the n-th reply is `bn`. `< reset`: it closes the connection.
//! - `> METHOD [/more] | name: value …`: what the client asks. `body: text` is sent as the body.
//! - `= …`: what must be true of the last call: `hit` (the origin was not asked), `miss` (it was,
//!   and its answer was wanted), `asks` (it was, with a condition), a status, `target ?a=1` (what
//!   the origin was asked for ends so), `body text` (`-`: none), `name: value` of the answer,
//!   `origin name: value` of what the origin was sent. A value `-` means absent, `~text` contains
//!   it, `>=n` a number.
//! - `wait N`: until the origin has been asked N times.
//!
//! `{now}`, `{now-60}`, `{now+60}` are dates.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sumun_tests::{DEADLINE, Recorded, Reply, Response, Step, eventually};

use super::stage::{Clients, Stage};

/// Plays one row.
///
/// # Panics
/// Where something that must be true is not, with the line.
pub(super) fn play(module: &str, name: &str, text: &str) {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys = lines().find_map(|line| line.strip_prefix("keys: ")).unwrap_or_default();
    let says = |word| lines().any(|line| line == word);
    let clients = if says("trusted") { Clients::TrustedProxy } else { Clients::Strangers };
    let stage = if says("alone") {
        Arc::new(Stage::start(keys, clients))
    } else {
        Stage::shared(keys, clients)
    };
    let table = module.rsplit("::").next().unwrap_or_default();
    let row = Row { stage: &stage, name: format!("{table}.{name}") };
    let is_of_stage = |line: &&str| matches!(*line, "alone" | "trusted");
    stage.runtime.block_on(row.play(lines().filter(|line| !is_of_stage(line))));
}

struct Row<'a> {
    stage: &'a Stage,
    name: String,
}

/// One call, as both ends saw it.
struct Exchange {
    answer: Response,
    /// What the origin was asked for it.
    asked: Vec<Recorded>,
    /// Replies that it did not want.
    left: usize,
}

impl Row<'_> {
    async fn play(&self, lines: impl Iterator<Item = &str>) {
        let mut replies = 0;
        let mut last = None;
        for line in lines {
            let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
            match kind {
                "keys:" => {}
                "<" => {
                    replies += 1;
                    self.stage.push(&self.name, reply(rest, replies));
                }
                ">" => last = Some(self.call(rest).await),
                "=" => {
                    let exchange = last.as_ref().unwrap_or_else(|| panic!("no call yet: {line}"));
                    for expected in rest.split(" | ") {
                        if let Err(why) = exchange.check(expected) {
                            panic!("{line}\n{expected}: {why}\n{exchange}");
                        }
                    }
                }
                "wait" => self.wait(rest.parse().expect("a number")).await,
                _ => panic!("not a line of a row: {line}"),
            }
        }
    }

    async fn call(&self, line: &str) -> Exchange {
        let mut parts = line.split(" | ");
        let target = parts.next().unwrap_or_default();
        let (method, more) = target.split_once(' ').unwrap_or((target, ""));
        let fields: Vec<String> = parts.map(dated).collect();
        let (body, fields) = fields_of(&fields);
        let before = self.stage.asked(&self.name).len();
        let path = format!("/{}{more}", self.name);
        let answer = self.stage.sumun.call(method, &path, &fields, body.as_bytes()).await;
        let asked = self.stage.asked(&self.name).split_off(before);
        let left = self.stage.left(&self.name);
        self.stage.clear(&self.name);
        Exchange { answer, asked, left }
    }

    async fn wait(&self, count: usize) {
        eventually("the origin is asked", DEADLINE, async || {
            let asked = self.stage.asked(&self.name).len();
            if asked >= count { Ok(()) } else { Err(asked) }
        })
        .await;
    }
}

impl Exchange {
    fn check(&self, expected: &str) -> Result<(), String> {
        let conditional = || {
            self.asked.iter().any(|asked| {
                asked.header("if-none-match").is_some()
                    || asked.header("if-modified-since").is_some()
            })
        };
        let outcome = match expected {
            "hit" => self.asked.is_empty(),
            "miss" => self.asked.len() == 1 && self.left == 0,
            "asks" => self.asked.len() == 1 && conditional(),
            _ => {
                if let Ok(status) = expected.parse::<u16>() {
                    return (self.answer.status == status).then_some(()).ok_or_else(String::new);
                }
                if let Some(more) = expected.strip_prefix("target ") {
                    let target = self.asked.last().ok_or("the origin was not asked")?.target();
                    let same = target.ends_with(more);
                    return same.then_some(()).ok_or_else(|| target.to_owned());
                }
                if let Some(text) = expected.strip_prefix("body ") {
                    let same = self.answer.text() == if text == "-" { "" } else { text };
                    return same.then_some(()).ok_or_else(|| self.answer.text());
                }
                let (of_origin, field) = match expected.strip_prefix("origin ") {
                    Some(field) => (true, field),
                    None => (false, expected),
                };
                let (name, value) = field.split_once(": ").ok_or("not an expectation")?;
                let found = if of_origin {
                    self.asked.last().ok_or("the origin was not asked")?.all(name)
                } else {
                    self.answer.all(name)
                };
                return compare(&found, &dated(value));
            }
        };
        outcome.then_some(()).ok_or_else(String::new)
    }
}

impl std::fmt::Display for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for asked in &self.asked {
            writeln!(f, "origin was asked:\n{}", String::from_utf8_lossy(&asked.head.raw))?;
        }
        write!(f, "client got:{}", self.answer)
    }
}

fn compare(found: &[&str], expected: &str) -> Result<(), String> {
    let joined = found.join(", ");
    let holds = if expected == "-" {
        found.is_empty()
    } else if let Some(part) = expected.strip_prefix('~') {
        joined.contains(part)
    } else if let Some(least) = expected.strip_prefix(">=") {
        let least: u64 = least.parse().map_err(|_| "not a number")?;
        joined.parse::<u64>().is_ok_and(|number| (least..least + 30).contains(&number))
    } else {
        joined == expected
    };
    holds.then_some(()).ok_or_else(|| format!("is {found:?}"))
}

fn reply(line: &str, number: usize) -> Reply {
    let mut parts = line.split(" | ");
    let status = parts.next().unwrap_or_default();
    if status == "reset" {
        return Reply::only(Step::Reset);
    }
    let status: u16 = status.parse().unwrap_or_else(|_| panic!("no status: {line}"));
    let fields: Vec<String> = parts.map(dated).collect();
    let numbered = format!("b{number}");
    let (body, fields) = fields_of(&fields);
    match status {
        204 | 304 => Reply::raw(bare(status, &fields)),
        _ if fields.contains(&("no-body", "")) => Reply::raw(bare(
            status,
            &fields.iter().copied().filter(|field| field.0 != "no-body").collect::<Vec<_>>(),
        )),
        _ => Reply::with(status, &fields, if body.is_empty() { &numbered } else { body }),
    }
}

/// A head without a body or its length.
fn bare(status: u16, fields: &[(&str, &str)]) -> String {
    let lines = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    format!("HTTP/1.1 {status} Scripted\r\n{}\r\n", lines.collect::<String>())
}

/// The body, and the fields.
fn fields_of(fields: &[String]) -> (&str, Vec<(&str, &str)>) {
    let pairs = fields.iter().filter(|field| !field.is_empty()).map(|field| {
        field
            .split_once(": ")
            .or_else(|| Some((field.strip_suffix(':')?, "")))
            .unwrap_or_else(|| panic!("not a field: {field}"))
    });
    let (bodies, fields): (Vec<_>, Vec<_>) = pairs.partition(|(name, _)| *name == "body");
    (bodies.first().map_or("", |(_, body)| body), fields)
}

/// With dates in place of `{now…}`.
fn dated(text: &str) -> String {
    let Some((before, rest)) = text.split_once("{now") else { return text.to_owned() };
    let (offset, after) = rest.split_once('}').expect("a closing brace");
    let seconds: i64 = if offset.is_empty() { 0 } else { offset.parse().expect("an offset") };
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let now = SystemTime::now();
    let time = if seconds < 0 { now - distance } else { now + distance };
    format!("{before}{}{}", httpdate::fmt_http_date(time), dated(after))
}
