//! One thing that happened to a call, in words of eight bytes.

use sumun_engine::Moment;
use sumun_engine::admission::Reason;
use sumun_engine::replay::{Asked, Joined, Left, Verdict};
use sumun_policy::policy::Class;

/// Words of a call that asks or joins the line, and of one that ends.
pub(super) const ASKED_WORDS: usize = 4;
pub(super) const LEFT_WORDS: usize = 2;

/// In the first word: a call ended.
const ENDED: u64 = 1 << 63;

/// Bits of the time of an end, µs: nine years.
const END_BITS: u32 = 48;

/// Among the flags: a caller is known; it waits and is not decided.
const HAS_CALLER: u64 = 1 << 4;
const JOINED: u64 = 1 << 5;

/// A thing that happened to the call of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Entry {
    Asked(u32, Asked),
    Joined(u32, Joined),
    Left(u32, Left),
}

pub(super) fn asked(number: u32, asked: &Asked) -> [u64; ASKED_WORDS] {
    let flags = asked.class as u64 | if asked.caller.is_some() { HAS_CALLER } else { 0 };
    [
        asked.at.nanos() & !ENDED,
        asked.caller.unwrap_or(0),
        pair(asked.order, number),
        u64::from(asked.route)
            | u64::from(asked.generation) << 16
            | verdict_code(asked.verdict) << 32
            | asked.shadow.map_or(0, reason_code) << 40
            | flags << 48,
    ]
}

pub(super) fn joined(number: u32, joined: &Joined) -> [u64; ASKED_WORDS] {
    let Joined { at, order, route, generation, class, caller } = *joined;
    let verdict = Verdict::Admitted; // not read
    let as_asked = Asked { at, order, route, generation, class, caller, verdict, shadow: None };
    let [first, second, third, rest] = asked(number, &as_asked);
    [first, second, third, rest | JOINED << 48]
}

/// Of an end microseconds are kept: its place is told by its turn.
pub(super) fn left(number: u32, left: &Left) -> [u64; LEFT_WORDS] {
    let at_us = (left.at.nanos() / 1000) & ((1 << END_BITS) - 1);
    [ENDED | u64::from(left.route) << END_BITS | at_us, pair(left.order, number)]
}

/// What words begin with, and how many they are; `None`: nothing more.
pub(super) fn read(words: &[u64]) -> Option<(Entry, usize)> {
    let first = *words.first().filter(|first| **first != 0)?;
    if first & ENDED != 0 {
        let (order, number) = unpair(*words.get(1)?);
        let route = (first & !ENDED) >> END_BITS;
        let at = Moment::from_nanos((first & ((1 << END_BITS) - 1)) * 1000);
        return Some((Entry::Left(number, Left { at, order, route: route as u16 }), LEFT_WORDS));
    }
    let &[_, caller, turn, rest] = words.get(..ASKED_WORDS)? else { return None };
    let (order, number) = unpair(turn);
    let asked = Asked {
        at: Moment::from_nanos(first),
        order,
        route: rest as u16,
        generation: (rest >> 16) as u16,
        class: Class::ALL.into_iter().find(|class| *class as u64 == (rest >> 48) & 15)?,
        caller: (rest >> 48 & HAS_CALLER != 0).then_some(caller),
        verdict: verdict_of((rest >> 32) & 255)?,
        shadow: reason_of((rest >> 40) & 255),
    };
    let entry = if rest >> 48 & JOINED == 0 {
        Entry::Asked(number, asked)
    } else {
        let Asked { at, order, route, generation, class, caller, .. } = asked;
        Entry::Joined(number, Joined { at, order, route, generation, class, caller })
    };
    Some((entry, ASKED_WORDS))
}

fn pair(order: u32, number: u32) -> u64 {
    u64::from(order) << 32 | u64::from(number)
}

fn unpair(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

fn verdict_code(verdict: Verdict) -> u64 {
    match verdict {
        Verdict::Admitted => 0,
        Verdict::Refused(reason) => reason_code(reason),
        Verdict::QuotaFull => 255,
    }
}

fn verdict_of(code: u64) -> Option<Verdict> {
    match code {
        0 => Some(Verdict::Admitted),
        255 => Some(Verdict::QuotaFull),
        code => reason_of(code).map(Verdict::Refused),
    }
}

fn reason_code(reason: Reason) -> u64 {
    match reason {
        Reason::Rps => 1,
        Reason::Cpu => 2,
        Reason::Workers => 3,
    }
}

fn reason_of(code: u64) -> Option<Reason> {
    [Reason::Rps, Reason::Cpu, Reason::Workers].into_iter().find(|r| reason_code(*r) == code)
}
