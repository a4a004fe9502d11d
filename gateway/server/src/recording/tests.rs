use sumun_engine::Live;
use sumun_engine::admission::Reason;
use sumun_engine::replay::{Asked, Joined, Left, Verdict};
use sumun_policy::policy::Class;

use super::*;

const MIB: u64 = 1 << 20;

fn settings(bytes: u64, keep_s: u64) -> RecordingSettings {
    RecordingSettings { bytes, keep: Duration::from_secs(keep_s) }
}

fn at_ms(ms: u64) -> Moment {
    Moment::from_nanos(ms * 1_000_000)
}

fn call(ms: u64) -> Asked {
    Asked {
        at: at_ms(ms),
        order: ms as u32,
        route: 7,
        generation: 0,
        class: Class::Batch,
        caller: (ms.is_multiple_of(2)).then_some(ms),
        verdict: Verdict::Refused(Reason::Cpu),
        shadow: Some(Reason::Workers),
    }
}

#[test]
fn what_is_written_is_read() {
    let ring = Ring::new(MIB as usize, Duration::from_mins(1));
    let ring = Arc::new(ring);
    let recorder = CoreRecorder::new(Arc::clone(&ring), Arc::default());
    let mut expected = Vec::new();
    for ms in 1..3_000 {
        let verdicts = [Verdict::Admitted, Verdict::QuotaFull, Verdict::Refused(Reason::Rps)];
        let shadow = [None, Some(Reason::Rps)][ms as usize % 2];
        let class = Class::ALL[ms as usize % 4];
        let asked = Asked { verdict: verdicts[ms as usize % 3], shadow, class, ..call(ms) };
        let waited = (ms % 5 == 0).then(|| {
            let Asked { order, route, generation, class, caller, .. } = asked;
            let at = at_ms(ms - 1);
            let joined = Joined { at, order, route, generation, class, caller };
            let number = recorder.joined(&joined);
            expected.push(Entry::Joined(number, joined));
            number
        });
        let number = recorder.asked(waited, &asked);
        assert!(waited.is_none_or(|waited| waited == number));
        expected.push(Entry::Asked(number, asked));
        if ms % 3 == 0 {
            let left = Left { at: at_ms(ms + 1), order: ms as u32, route: ROUTES_MAX as u16 - 1 };
            recorder.left(number, &left);
            expected.push(Entry::Left(number, left));
        }
    }
    let read = ring.read();
    assert_eq!(read.complete_from, None);
    assert_eq!(read.entries, expected);
}

#[test]
fn a_flood_stays_within_the_bytes_and_what_it_pushes_out_is_counted() {
    const CALLS: u64 = 200_000;
    let settings = settings(2 * MIB, 3600);
    let recording = Recording::new(&settings, 2).unwrap();
    let recorders = [recording.recorder().unwrap(), recording.recorder().unwrap()];
    assert!(recording.recorder().is_none());
    for n in 0..CALLS {
        recorders[n as usize % 2].asked(None, &call(1 + n / 100));
    }
    let view = recording.view();
    assert!(view.bytes <= Recording::calls_bytes(&settings) as u64, "{view:?}");
    let read: Vec<_> = recording.rings.iter().map(|ring| ring.read()).collect();
    let kept: u64 = read.iter().map(|read| read.entries.len() as u64).sum();
    assert!(kept > 40_000, "{kept}");
    let spare = CALLS - kept - view.lost;
    assert!(spare < 4_000, "the rest is in chunks about to be written over: {spare}");
    let newest = read[0].entries.last();
    assert!(matches!(newest, Some(Entry::Asked(_, asked)) if asked.at == at_ms(CALLS / 100)));
    let taken = recording.take(u64::MAX, at_ms(CALLS / 100));
    assert!(taken.tape.complete_from.is_some_and(|from| from > at_ms(1)));
    assert_eq!(taken.lost, CALLS, "no policy is known that decided them");
}

#[test]
fn what_is_older_than_it_is_kept_is_neither_shown_nor_lost() {
    let recording = Recording::new(&settings(MIB, 60), 1).unwrap();
    let recorder = recording.recorder().unwrap();
    for ms in 0..1_000 {
        recorder.asked(None, &call(1 + ms));
    }
    let taken = recording.take(u64::MAX, at_ms(100_000));
    assert_eq!(taken.tape.complete_from, Some(at_ms(40_000)));
    assert_eq!((taken.lost, recording.view().lost), (0, 0));
}

#[test]
fn a_reader_beside_the_writer_never_sees_half_an_entry() {
    let ring = Arc::new(Ring::new(4 * 16 * 1024, Duration::from_hours(1)));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let recorder = CoreRecorder::new(Arc::clone(&ring), Arc::default());
            for ms in 1..300_000u64 {
                let number = recorder.asked(None, &Asked { caller: Some(ms), ..call(ms) });
                recorder.left(number, &Left { at: at_ms(ms), order: ms as u32, route: 7 });
            }
            done.store(true, Relaxed);
        });
        while !done.load(Relaxed) {
            let mut last = 0;
            for entry in ring.read().entries {
                match entry {
                    Entry::Asked(_, asked) => {
                        assert_eq!(asked.caller.map(at_ms), Some(asked.at));
                        assert!(asked.order > last, "in order");
                        last = asked.order;
                    }
                    Entry::Left(_, left) => assert_eq!(at_ms(left.order.into()), left.at),
                    Entry::Joined(..) => unreachable!("none waits"),
                }
            }
        }
    });
}

#[test]
fn routes_keep_their_numbers_and_old_policies_are_forgotten() {
    let recording = Recording::new(&settings(MIB, 900), 1).unwrap();
    let live = Live::new();
    for n in 0..POLICIES_MAX as u64 + 3 {
        let text = "version: 1\nupstreams: {u: {endpoints: ['http://127.0.0.1:1']}}\nroutes:\n  b: \
                    {match: {path: /**}, upstream: u}\n";
        let extra = if n == 0 { "" } else { "  a: {match: {path: /a}, upstream: u}\n" };
        let files = [("a.yaml".to_owned(), format!("{text}{extra}"))];
        let (policy, problems) = sumun_policy::check(&files);
        assert!(problems.is_empty(), "{problems:?}");
        let snapshot = Snapshot::compile(policy.unwrap(), n, &live, at_ms(n + 1));
        let numbers = recording.follow(&snapshot, at_ms(n + 1));
        let expected = if n == 0 { vec![Some(0)] } else { vec![Some(1), Some(0)] };
        assert_eq!(numbers, expected);
    }
    let taken = recording.take(u64::MAX, at_ms(1_000));
    assert_eq!(taken.tape.policies.len(), POLICIES_MAX);
    assert_eq!(taken.tape.complete_from, Some(at_ms(4)));
}

#[test]
fn without_bytes_nothing_is_recorded() {
    assert!(Recording::new(&settings(0, 900), 2).is_none());
}
