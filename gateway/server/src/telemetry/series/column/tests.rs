use super::*;

fn fill(values: impl IntoIterator<Item = f32>, most: usize) -> (Column, usize) {
    let (mut column, mut count) = (Column::default(), 0);
    for value in values {
        column.push(value, count, most);
        count = (count + 1).min(most);
    }
    (column, count)
}

#[test]
fn what_never_changes_takes_no_memory() {
    for value in [0.0, 7.5, f32::NAN] {
        let (column, count) = fill([value; 100], 10);
        assert_eq!((column.bytes(), count), (0, 10));
        assert!(column.is_always(value));
        assert!(column.newest(10).iter().all(|known| is_same(*known, value)));
    }
}

#[test]
fn what_changes_once_is_remembered_from_the_beginning() {
    let (column, _) = fill([3.0, 3.0, 3.0, 4.0], 10);
    assert_eq!(column.newest(4), [3.0, 3.0, 3.0, 4.0]);
    assert_eq!(column.newest(2), [3.0, 4.0]);
    assert!(!column.is_always(3.0));
}

#[test]
fn the_oldest_make_room_for_the_newest() {
    for change in [0, 1, 5, 9, 10, 11, 25] {
        let course = |at: usize| if at < change { 1.0 } else { at as f32 };
        let (column, count) = fill((0..37).map(course), 10);
        let wanted: Vec<f32> = (27..37).map(course).collect();
        assert_eq!((column.newest(count), count), (wanted, 10), "from {change} on");
        assert_eq!(column.newest(3), [34.0, 35.0, 36.0]);
    }
}

#[test]
fn a_column_grows_with_its_time_and_no_further() {
    let (young, _) = fill((0..5).map(|at| at as f32), 900);
    assert!(young.bytes() <= 4 * 2 * GROWTH, "{}", young.bytes());
    let (old, _) = fill((0..5000).map(|at| at as f32), 900);
    assert_eq!(old.bytes(), 4 * 900);
}
