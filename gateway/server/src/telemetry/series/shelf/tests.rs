use super::super::Span;
use super::super::columns::FUNCTION;
use super::*;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

const ROW: [f32; 3] = [1.0, 2.0, 3.0];

fn note(shelf: &mut Shelf, text: &str, second: u64, is_called: bool) -> bool {
    let kept = shelf.at(&name(text), second, is_called);
    kept.map(|kept| kept.table.push(second, &ROW, None)).is_some()
}

#[test]
fn a_table_begins_with_the_first_call() {
    let mut shelf = Shelf::new(FUNCTION, 4);
    assert!(!note(&mut shelf, "a", 100, false));
    assert!(shelf.get("a").is_none());
    assert!(note(&mut shelf, "a", 101, true));
    assert!(note(&mut shelf, "a", 102, false), "and goes on without one");
    assert_eq!(shelf.get("a").unwrap().points(Span::Quarter).count, 2);
}

#[test]
fn over_the_bound_only_what_is_quiet_makes_room() {
    let mut shelf = Shelf::new(FUNCTION, 2);
    assert!(note(&mut shelf, "a", 100, true) && note(&mut shelf, "b", 200, true));
    assert!(!note(&mut shelf, "c", 999, true), "both had calls in the last quarter of an hour");
    assert!(shelf.is_full());
    assert!(note(&mut shelf, "c", 1000, true));
    assert!(shelf.get("a").is_none() && shelf.get("b").is_some());
    assert!(!note(&mut shelf, "a", 1001, true));
    assert!(!note(&mut shelf, "a", 1001, true), "asked for once a second, refused twice");
    assert!(note(&mut shelf, "a", 1100, true));
}

#[test]
fn what_no_policy_names_any_more_is_unknown_and_then_forgotten() {
    let mut shelf = Shelf::new(FUNCTION, 2);
    note(&mut shelf, "a", 100, true);
    shelf.end(100);
    shelf.end(101);
    let points = shelf.get("a").unwrap().points(Span::Quarter);
    let (_, in_use) = &points.figures[0];
    assert_eq!((points.count, in_use[0]), (2, 1.0));
    assert!(in_use[1].is_nan());
    // A policy that was taken back by mistake finds it again.
    assert!(note(&mut shelf, "a", 650, false));
    shelf.end(650);
    assert_eq!(shelf.get("a").unwrap().points(Span::Quarter).count, 551);
    shelf.end(1249);
    assert!(shelf.get("a").is_some());
    shelf.end(1250);
    assert!(shelf.get("a").is_none());
}
