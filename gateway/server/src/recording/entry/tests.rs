use std::sync::Arc;
use std::time::Duration;

use sumun_engine::replay::ROUTES_MAX;

use super::super::ring::{CoreRecorder, Ring};
use super::*;

const SECOND_NS: u64 = 1_000_000_000;

fn asked(at_ns: u64, order: u32, caller: Option<u64>) -> Asked {
    Asked {
        at: Moment::from_nanos(at_ns),
        order,
        route: 7,
        generation: 3,
        class: Class::Batch,
        caller,
        verdict: Verdict::Admitted,
        shadow: None,
    }
}

/// Ends are kept to the microsecond.
fn left(at_ns: u64, order: u32, route: u16) -> Left {
    Left { at: Moment::from_nanos(at_ns / 1000 * 1000), order, route }
}

/// Words that a writer takes for what `write` does.
fn words(shorthand: &mut Shorthand, write: impl FnOnce(&mut Shorthand, &mut Pen<'_>)) -> usize {
    let places: Vec<_> = std::iter::repeat_with(AtomicU64::default).take(WORDS_MAX).collect();
    let mut pen = Pen::new(&places);
    write(shorthand, &mut pen);
    pen.written()
}

#[test]
fn a_call_of_a_known_caller_takes_two_words() {
    let mut shorthand = Shorthand::new();
    shorthand.begin(Moment::from_nanos(1), 0);
    let mut taken = 0;
    for call in 0..10_000u32 {
        let (at_ns, caller) = (1 + u64::from(call) * 20_000_000, Some(u64::from(call % 4) << 60));
        let mut number = 0;
        taken += words(&mut shorthand, |shorthand, pen| {
            number = shorthand.asked(None, &asked(at_ns, 2 * call, caller), pen);
        });
        taken += words(&mut shorthand, |shorthand, pen| {
            let before = number.wrapping_sub(64 * (call % 100));
            shorthand.left(before, &left(at_ns + 1, 2 * call + 1, 7), pen);
        });
    }
    // And once one for each caller, and for what all of them are.
    assert_eq!(taken, 20_000 + 3 + 1, "a caller of 0 is known");
}

#[test]
fn whatever_is_written_is_read() {
    for seed in 0..20 {
        eprintln!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let ring = Arc::new(Ring::new(64 << 20, Duration::from_hours(1)));
        let recorder = CoreRecorder::new(Arc::clone(&ring), Arc::default());
        let (mut at_ns, mut order) = (1_000 * SECOND_NS, u32::MAX - 5_000);
        let mut numbers = vec![0];
        let mut expected = Vec::new();
        for _ in 0..20_000 {
            // Mostly a little later, sometimes a little earlier, and now and then far from it.
            at_ns = match random.u32(..100) {
                0 => at_ns + random.u64(..1_000) * SECOND_NS,
                1 => at_ns.saturating_sub(random.u64(..1_000) * SECOND_NS / 2),
                2..10 => at_ns.saturating_sub(random.u64(..1_000_000)),
                _ => at_ns + random.u64(..1_000_000),
            }
            .max(1);
            order = order.wrapping_add(match random.u32(..100) {
                0 => random.u32(..),
                1..5 => random.u32(..1 << 17),
                _ => random.u32(..8),
            });
            let class = Class::ALL[random.usize(..4)];
            let caller = random.bool().then(|| random.u64(..700) << 54);
            let (route, generation) = (random.u16(..4) * (ROUTES_MAX as u16 / 4), random.u16(..2));
            let at = Moment::from_nanos(at_ns);
            match random.u32(..10) {
                0 => {
                    let joined = Joined { at, order, route, generation, class, caller };
                    numbers.push(recorder.joined(&joined));
                    expected.push(Entry::Joined(numbers[numbers.len() - 1], joined));
                }
                1..6 => {
                    let reasons = [Reason::Rps, Reason::Cpu, Reason::Workers];
                    let reason = reasons[random.usize(..3)];
                    let verdicts =
                        [Verdict::Admitted, Verdict::QuotaFull, Verdict::Refused(reason)];
                    let verdict = verdicts[random.usize(..3)];
                    let shadow = random.bool().then_some(reason);
                    let asked =
                        Asked { at, order, route, generation, class, caller, verdict, shadow };
                    let waited =
                        (random.u32(..5) == 0).then(|| numbers[random.usize(..numbers.len())]);
                    let number = recorder.asked(waited, &asked);
                    assert!(waited.is_none_or(|waited| waited == number));
                    numbers.push(number);
                    expected.push(Entry::Asked(number, asked));
                }
                _ => {
                    let far = random.u32(..20) == 0;
                    let number =
                        if far { random.u32(..) } else { numbers[random.usize(..numbers.len())] };
                    let left = left(at_ns, order, route);
                    recorder.left(number, &left);
                    expected.push(Entry::Left(number, left));
                }
            }
        }
        assert_eq!(ring.read().entries, expected);
    }
}

#[test]
fn an_entry_never_takes_more_words_than_there_is_room_for() {
    let mut shorthand = Shorthand::new();
    let mut most = 0;
    for call in 0..100u32 {
        let (at_ns, order) = (u64::from(call) * 3600 * SECOND_NS, call.wrapping_mul(1 << 20));
        most = most.max(words(&mut shorthand, |shorthand, pen| {
            let asked = asked(at_ns, order, Some(u64::from(call)));
            shorthand.asked(Some(call), &Asked { generation: call as u16, ..asked }, pen);
        }));
        let (at_ns, order) = (at_ns + 1800 * SECOND_NS, order + (1 << 19));
        most = most.max(words(&mut shorthand, |shorthand, pen| {
            shorthand.left(u32::MAX / 2, &left(at_ns, order, 1), pen);
        }));
    }
    assert_eq!(most, WORDS_MAX);
}
