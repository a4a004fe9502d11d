//! One thing that happened to a call, in words of eight bytes.
//!
//! Told in short, against what was told before it in the same chunk ([`Shorthand`]; writer and reader
//! keep the same one): the time and the turn as differences, the number of a new call as the next one;
//! what was decided of which route, and who asked, as places, once that was told. So a call takes one
//! word when it is decided, another where its caller is new, and one when it ends. What doesn't fit
//! takes more, and is as exact:
//!
//! | word | bits, from the lowest | followed by |
//! |---|---|---|
//! | 0 | nothing more in this chunk | |
//! | [`ASKED`] | 2 kind, 3 what follows, 6 and 8 places, 14 turns, 31 time (ns) | its number, what it is, its caller |
//! | [`LEFT`] | 2 kind, 15 route, 17 calls since, 12 turns, 18 time (µs) | |
//! | [`SET`] | 4 kind, 60 time (ns) | turn, number of the newest call |
//! | [`OLD`] | 4 kind, 28 nothing, 32 number of the call whose end is next | |

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use sumun_engine::Moment;
use sumun_engine::admission::Reason;
use sumun_engine::replay::{Asked, Joined, Left, Verdict};
use sumun_policy::policy::Class;

/// Most words of an entry, with what must be set before it.
pub(super) const WORDS_MAX: usize = 6;

/// Kinds of words, in their lowest two bits; of the last one in four.
const ASKED: u64 = 1;
const LEFT: u64 = 2;
const SET: u64 = 3;
const OLD: u64 = 3 | 1 << 2;
const KIND_BITS: u32 = 2;
const LONG_KIND_BITS: u32 = 4;

/// In the word of a call: its number follows, what it is, its caller.
const NUMBERED: u64 = 1 << 2;
const NEW_WHAT: u64 = 1 << 3;
const NEW_CALLER: u64 = 1 << 4;

/// Where the parts of a word begin.
const ASKED_WHAT: u32 = KIND_BITS + 3;
const ASKED_CALLER: u32 = ASKED_WHAT + WHAT_BITS;
const ASKED_TURNS: u32 = ASKED_CALLER + CALLER_BITS;
const ASKED_TIME: u32 = 33;
const LEFT_ROUTE: u32 = KIND_BITS;
const LEFT_SINCE: u32 = LEFT_ROUTE + ROUTE_BITS;
const LEFT_TURNS: u32 = 34;
const LEFT_TIME: u32 = 46;

/// Bits of a route ([`sumun_engine::replay::ROUTES_MAX`]).
const ROUTE_BITS: u32 = 15;

/// Bits of places: outcomes of routes that are busy at a time, and their callers.
const WHAT_BITS: u32 = 6;
const CALLER_BITS: u32 = 8;

/// In what a call is: that a caller is known, that it waits and is not decided.
const HAS_CALLER: u64 = 1 << 52;
const JOINED: u64 = 1 << 53;

/// Spreads what a call is over the places.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A thing that happened to the call of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Entry {
    Asked(u32, Asked),
    Joined(u32, Joined),
    Left(u32, Left),
}

/// What entries are told against.
#[derive(Debug)]
pub(super) struct Shorthand {
    at_ns: u64,
    turn: u32,
    /// Of the newest call.
    number: u32,
    /// Route, generation, verdict, reason in shadow mode, class, and what else is known of a call.
    whats: Box<[u64; 1 << WHAT_BITS]>,
    callers: Box<[u64; 1 << CALLER_BITS]>,
}

/// Where the words of an entry go, one after the other: room for [`WORDS_MAX`].
pub(super) struct Pen<'a> {
    places: &'a [AtomicU64],
    written: usize,
}

// === impl Pen ===

impl<'a> Pen<'a> {
    pub(super) fn new(places: &'a [AtomicU64]) -> Self {
        Self { places, written: 0 }
    }

    /// Words that were written.
    pub(super) fn written(&self) -> usize {
        self.written
    }

    fn put(&mut self, word: u64) {
        self.places[self.written].store(word, Relaxed);
        self.written += 1;
    }
}

// === impl Shorthand ===

impl Shorthand {
    /// Before the first chunk.
    pub(super) fn new() -> Self {
        let (whats, callers) = (Box::new([0; _]), Box::new([0; _]));
        Self { at_ns: 0, turn: 0, number: 0, whats, callers }
    }

    /// Begins a chunk with an entry of this time and turn; returns what a reader must know of it to
    /// [`Self::resume`].
    pub(super) fn begin(&mut self, at: Moment, turn: u32) -> u64 {
        let word = pair(turn, self.number);
        self.resume(at, word);
        word
    }

    /// Begins a chunk as its writer has.
    pub(super) fn resume(&mut self, at: Moment, begun: u64) {
        self.at_ns = at.nanos();
        (self.turn, self.number) = unpair(begun);
        self.whats.fill(0);
        self.callers.fill(0);
    }

    /// Writes a decision; `None`: of a new call. Returns its number.
    pub(super) fn asked(&mut self, number: Option<u32>, asked: &Asked, pen: &mut Pen<'_>) -> u32 {
        let what = what(asked.route, asked.generation, asked.class)
            | verdict_code(asked.verdict) << 32
            | asked.shadow.map_or(0, reason_code) << 40;
        self.call(number, (asked.at, asked.order), what, asked.caller, pen)
    }

    /// Writes that a new call waits; returns its number.
    pub(super) fn joined(&mut self, joined: &Joined, pen: &mut Pen<'_>) -> u32 {
        let what = what(joined.route, joined.generation, joined.class) | JOINED;
        self.call(None, (joined.at, joined.order), what, joined.caller, pen)
    }

    fn call(
        &mut self,
        number: Option<u32>,
        (at, turn): (Moment, u32),
        what: u64,
        caller: Option<u64>,
        pen: &mut Pen<'_>,
    ) -> u32 {
        let mut ahead_ns = at.nanos().wrapping_sub(self.at_ns).cast_signed();
        let mut turns = turn.wrapping_sub(self.turn);
        if !fits(ahead_ns, ASKED_TIME) || turns >= 1 << (ASKED_TIME - ASKED_TURNS) {
            self.set(at, turn, pen);
            (ahead_ns, turns) = (0, 0);
        }
        (self.at_ns, self.turn) = (at.nanos(), turn);
        let what = what | if caller.is_some() { HAS_CALLER } else { 0 };
        let what_place = (what.wrapping_mul(SPREAD) >> (u64::BITS - WHAT_BITS)) as usize;
        // A caller is a hash.
        let caller_place = (caller.unwrap_or(0) >> (u64::BITS - CALLER_BITS)) as usize;
        let is_new = |known: &mut u64, told: u64| std::mem::replace(known, told) != told;
        let new_what = is_new(&mut self.whats[what_place], what);
        let new_caller = caller.filter(|told| is_new(&mut self.callers[caller_place], *told));
        let follows = |it_does: bool, flag: u64| if it_does { flag } else { 0 };
        pen.put(
            ASKED
                | follows(number.is_some(), NUMBERED)
                | follows(new_what, NEW_WHAT)
                | follows(new_caller.is_some(), NEW_CALLER)
                | (what_place as u64) << ASKED_WHAT
                | (caller_place as u64) << ASKED_CALLER
                | u64::from(turns) << ASKED_TURNS
                | ahead_ns.cast_unsigned() << ASKED_TIME,
        );
        if let Some(number) = number {
            pen.put(number.into());
        } else {
            self.number = self.number.wrapping_add(1);
        }
        if new_what {
            pen.put(what);
        }
        if let Some(caller) = new_caller {
            pen.put(caller);
        }
        number.unwrap_or(self.number)
    }

    /// Writes an end. Of its time microseconds are kept: its place is told by its turn.
    pub(super) fn left(&mut self, number: u32, left: &Left, pen: &mut Pen<'_>) {
        let at_us = left.at.nanos() / 1000;
        let mut ahead_us = at_us.wrapping_sub(self.at_ns / 1000).cast_signed();
        let mut turns = left.order.wrapping_sub(self.turn);
        if !fits(ahead_us, LEFT_TIME) || turns >= 1 << (LEFT_TIME - LEFT_TURNS) {
            self.set(left.at, left.order, pen);
            (ahead_us, turns) = (0, 0);
        }
        (self.at_ns, self.turn) = (at_us * 1000, left.order);
        let mut since = self.number.wrapping_sub(number);
        if since >= 1 << (LEFT_TURNS - LEFT_SINCE) {
            pen.put(OLD | u64::from(number) << 32);
            since = 0;
        }
        pen.put(
            LEFT | u64::from(left.route) << LEFT_ROUTE
                | u64::from(since) << LEFT_SINCE
                | u64::from(turns) << LEFT_TURNS
                | ahead_us.cast_unsigned() << LEFT_TIME,
        );
    }

    /// Writes what is too far from what came before.
    fn set(&self, at: Moment, turn: u32, pen: &mut Pen<'_>) {
        pen.put(SET | at.nanos() << LONG_KIND_BITS);
        pen.put(pair(turn, self.number));
    }

    /// The next entry of a chunk, which is taken from `words`; `None`: nothing more.
    pub(super) fn read(&mut self, words: &mut impl Iterator<Item = u64>) -> Option<Entry> {
        let mut old = None;
        loop {
            let word = words.next().filter(|word| *word != 0)?;
            match (word & 3, word & 15) {
                (ASKED, _) => return self.read_call(word, words),
                (LEFT, _) => return Some(self.read_left(word, old)),
                (_, OLD) => old = Some((word >> 32) as u32),
                _ => {
                    self.at_ns = word >> LONG_KIND_BITS;
                    (self.turn, self.number) = unpair(words.next()?);
                }
            }
        }
    }

    fn read_call(&mut self, word: u64, words: &mut impl Iterator<Item = u64>) -> Option<Entry> {
        self.at_ns = self.at_ns.wrapping_add_signed(word.cast_signed() >> ASKED_TIME);
        self.turn = self.turn.wrapping_add(part(word, ASKED_TURNS, ASKED_TIME) as u32);
        let number = if word & NUMBERED != 0 {
            words.next()? as u32
        } else {
            self.number = self.number.wrapping_add(1);
            self.number
        };
        let what = &mut self.whats[part(word, ASKED_WHAT, ASKED_CALLER) as usize];
        if word & NEW_WHAT != 0 {
            *what = words.next()?;
        }
        let caller = &mut self.callers[part(word, ASKED_CALLER, ASKED_TURNS) as usize];
        if word & NEW_CALLER != 0 {
            *caller = words.next()?;
        }
        let (what, caller) = (*what, *caller);
        let (at, order) = (Moment::from_nanos(self.at_ns), self.turn);
        let (route, generation) = (what as u16, (what >> 16) as u16);
        let class = Class::ALL.into_iter().find(|class| *class as u64 == part(what, 48, 52))?;
        let caller = (what & HAS_CALLER != 0).then_some(caller);
        Some(if what & JOINED != 0 {
            Entry::Joined(number, Joined { at, order, route, generation, class, caller })
        } else {
            let (verdict, shadow) =
                (verdict_of(part(what, 32, 40))?, reason_of(part(what, 40, 48)));
            let asked = Asked { at, order, route, generation, class, caller, verdict, shadow };
            Entry::Asked(number, asked)
        })
    }

    fn read_left(&mut self, word: u64, old: Option<u32>) -> Entry {
        let at_us = (self.at_ns / 1000).wrapping_add_signed(word.cast_signed() >> LEFT_TIME);
        self.at_ns = at_us * 1000;
        self.turn = self.turn.wrapping_add(part(word, LEFT_TURNS, LEFT_TIME) as u32);
        let since = part(word, LEFT_SINCE, LEFT_TURNS) as u32;
        let number = old.unwrap_or(self.number.wrapping_sub(since));
        let (at, order) = (Moment::from_nanos(self.at_ns), self.turn);
        Entry::Left(number, Left { at, order, route: part(word, LEFT_ROUTE, LEFT_SINCE) as u16 })
    }
}

fn pair(turn: u32, number: u32) -> u64 {
    u64::from(turn) << 32 | u64::from(number)
}

fn unpair(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

/// The bits of a word between two places.
fn part(word: u64, from: u32, to: u32) -> u64 {
    (word >> from) & ((1 << (to - from)) - 1)
}

/// Whether a difference is told whole from a bit on.
fn fits(difference: i64, from: u32) -> bool {
    difference << from >> from == difference
}

fn what(route: u16, generation: u16, class: Class) -> u64 {
    u64::from(route) | u64::from(generation) << 16 | (class as u64) << 48
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

#[cfg(test)]
mod tests;
