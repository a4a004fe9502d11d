use super::*;

#[test]
fn a_program_name_with_parentheses_does_not_shift_the_fields() {
    let mut state = ProcessState::default();
    state.take_stat(
        "42 (a (b) c) S 1 42 42 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 7 0 100 8192000 300 1 1",
    );
    assert_eq!(state.cpu_s, Some(300.0 / ticks_per_second()));
    assert_eq!(state.threads, Some(7));
    assert_eq!(state.virtual_bytes, Some(8_192_000));
    assert_eq!(state.resident_bytes, Some(300 * page_bytes()));
}

#[test]
fn this_process_is_read() {
    let state = ProcessState::read(1.0);
    assert!(state.resident_bytes.unwrap() > 1 << 20);
    assert!(state.fds.unwrap() >= 3);
    assert!(state.fds_max.unwrap() >= state.fds.unwrap());
    assert!(state.threads.unwrap() >= 1);
}

#[test]
fn what_is_not_there_is_absent() {
    let state = ProcessState::read_from(Path::new("/nonexistent"), 5.0);
    assert_eq!(state, ProcessState { started_unix_s: 5.0, ..ProcessState::default() });
}
