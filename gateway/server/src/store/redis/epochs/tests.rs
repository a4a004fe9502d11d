use super::*;

const ID: u64 = 1 << 52;

fn news(id: u64, seq: u64, slots: &[(u32, u64)]) -> News {
    News { mark: Mark { id, seq }, slots: slots.to_vec() }
}

/// What `take` says is outdated.
fn take(epochs: &Epochs, news: &News, now_s: u64) -> Outdated {
    let mut seen = None;
    epochs.take(news, now_s * 1_000_000_000, |outdated| seen = Some(outdated.clone()));
    seen.expect("said")
}

fn slots(slots: &[u32]) -> Outdated {
    Outdated::Slots(slots.to_vec())
}

#[test]
fn nothing_holds_before_redis_was_heard() {
    let epochs = Epochs::new();
    assert!(!epochs.holds(Mark::NONE, &[1]));
    assert!(!epochs.holds(Mark { id: ID, seq: 9 }, &[1]));
    assert_eq!(take(&epochs, &news(ID, 3, &[(7, 3)]), 1), Outdated::All);
    assert_eq!(epochs.mark(), Mark { id: ID, seq: 3 });
    assert!(epochs.holds(Mark { id: ID, seq: 0 }, &[1]));
    assert!(!epochs.holds(Mark { id: ID, seq: 2 }, &[1, 7]));
    assert!(epochs.holds(Mark { id: ID, seq: 3 }, &[1, 7]));
}

#[test]
fn a_purge_of_another_gateway_outdates_its_slot_once() {
    let epochs = Epochs::new();
    take(&epochs, &news(ID, 0, &[]), 1);
    let before = epochs.mark();
    assert_eq!(take(&epochs, &news(ID, 2, &[(7, 2)]), 2), slots(&[7]));
    assert!(!epochs.holds(before, &[7]));
    assert!(epochs.holds(before, &[8]));
    // Asked again from number 2 on: the same is said, and known.
    assert_eq!(take(&epochs, &news(ID, 2, &[(7, 2)]), 3), slots(&[]));
    assert!(epochs.holds(epochs.mark(), &[7]));
}

#[test]
fn a_purge_of_everything_is_one_of_every_slot() {
    let epochs = Epochs::new();
    take(&epochs, &news(ID, 0, &[]), 1);
    let before = epochs.mark();
    assert_eq!(take(&epochs, &news(ID, 1, &[(EVERYTHING, 1), (3, 1)]), 2), Outdated::All);
    assert!(!epochs.holds(before, &[8]));
    assert!(epochs.holds(epochs.mark(), &[8]));
}

#[test]
fn a_purge_made_here_holds_at_once_and_outdates_nothing_later() {
    let epochs = Epochs::new();
    take(&epochs, &news(ID, 0, &[]), 1);
    let before = epochs.mark();
    epochs.purge(7);
    assert!(!epochs.holds(before, &[7]), "not told yet");
    assert_eq!(epochs.send(10), [7]);
    assert!(!epochs.holds(before, &[7]), "being told");
    assert!(epochs.sent(Mark { id: ID, seq: 1 }, 0, 2, |_| panic!("the first tier has had it")));
    assert_eq!(epochs.pending(), 0);
    assert!(!epochs.holds(before, &[7]), "told");
    // What is stored after it in the first tier stays.
    assert_eq!(take(&epochs, &news(ID, 1, &[(7, 1)]), 3), slots(&[]));
    assert!(epochs.holds(epochs.mark(), &[7]));
}

#[test]
fn a_purge_of_another_gateway_that_ours_covers_is_not_missed() {
    let epochs = Epochs::new();
    take(&epochs, &news(ID, 4, &[]), 1);
    epochs.purge(7);
    epochs.send(10);
    let mut seen = None;
    // Number 5 was another's, in the same slot, and had not been heard.
    epochs.sent(Mark { id: ID, seq: 6 }, 5, 2, |outdated| seen = Some(outdated.clone()));
    assert_eq!(seen, Some(slots(&[7])));
}

#[test]
fn what_could_not_be_told_is_told_again() {
    let epochs = Epochs::new();
    take(&epochs, &news(ID, 0, &[]), 1);
    for slot in 0..5 {
        epochs.purge(slot);
    }
    assert_eq!(epochs.send(2), [0, 1]);
    epochs.failed();
    assert_eq!(epochs.send(10), [0, 1, 2, 3, 4]);
    // Told to a set that is not the known one: known only once that is.
    assert!(!epochs.sent(Mark { id: ID + 1, seq: 1 }, 0, 2, |_| {}));
    assert_eq!(epochs.send(10), [0, 1, 2, 3, 4]);
}

#[test]
fn a_state_that_took_the_place_of_the_known_one_is_told_what_was_purged_lately() {
    let epochs = Epochs::new();
    take(&epochs, &news(ID, 0, &[]), 1);
    for (slot, at_s) in [(1, 10), (2, 65)] {
        epochs.purge(slot);
        epochs.send(10);
        epochs.sent(Mark { id: ID, seq: at_s }, 0, at_s * 1_000_000_000, |_| {});
    }
    take(&epochs, &news(ID, 65, &[]), 75);
    let before = epochs.mark();
    // Nobody's entries count any more, but the first tier was held against Redis just now.
    assert_eq!(take(&epochs, &news(ID + 1, 1, &[(9, 1)]), 80), slots(&[9]));
    assert!(!epochs.holds(before, &[20]));
    assert_eq!(epochs.mark(), Mark { id: ID + 1, seq: 1 });
    assert_eq!(epochs.send(10), [2], "slot 1 was 70 s ago");
}

#[test]
fn who_was_apart_for_long_drops_the_first_tier() {
    let epochs = Epochs::new();
    take(&epochs, &news(ID, 5, &[]), 1);
    assert_eq!(take(&epochs, &news(ID + 1, 1, &[]), 40), Outdated::All);
    // The same state, however late: everything since is in it.
    assert_eq!(take(&epochs, &news(ID + 1, 9, &[(3, 9)]), 400), slots(&[3]));
}

#[test]
fn a_slot_that_does_not_exist_is_passed_over() {
    let epochs = Epochs::new();
    take(&epochs, &news(ID, 1, &[]), 1);
    assert_eq!(take(&epochs, &news(ID, 2, &[(2 * SOFT, 2), (u32::MAX, 2)]), 2), slots(&[]));
}

#[test]
fn a_soft_purge_makes_stale_and_removes_nothing() {
    let epochs = Epochs::new();
    take(&epochs, &news(ID, 1, &[]), 1);
    let before = epochs.mark();
    assert!(!epochs.softens(before, &[3]));
    // One's own, at once; and another gateway's, of everything.
    epochs.purge(soft(3));
    assert!(epochs.softens(before, &[3]) && epochs.holds(before, &[3]));
    assert!(!epochs.softens(before, &[4]));
    let seen = take(&epochs, &news(ID, 2, &[(soft(EVERYTHING), 2)]), 2);
    assert_eq!(seen, slots(&[soft(EVERYTHING)]));
    assert!(epochs.softens(before, &[4]) && epochs.holds(before, &[4]));
    assert!(!epochs.softens(epochs.mark(), &[4]));
    assert_eq!((softened(soft(7)), softened(EVERYTHING)), (Some(7), None));
}
