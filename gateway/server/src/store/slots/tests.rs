use super::*;

#[test]
fn slots_only_grow_and_take_nothing_before() {
    let slots = Slots::new(4);
    assert_eq!([0, 3, 4].map(|slot| slots.get(slot)), [0; 3]);
    slots.raise(4, 7);
    assert!(slots.numbers.get().is_none(), "there is no such slot");
    slots.raise(3, 7);
    slots.raise(3, 5);
    assert_eq!([0, 3, 4].map(|slot| slots.get(slot)), [0, 7, 0]);
}
