use super::*;

fn wanting(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno.raw_os_error())
}

#[test]
fn each_is_given_up_once_and_taken_back() {
    let spares = Spares::filled();
    for errno in [Errno::MFILE, Errno::NFILE].into_iter().cycle().take(SPARES_MAX) {
        assert!(spares.give_up_for(&wanting(errno)));
    }
    assert!(!spares.give_up_for(&wanting(Errno::MFILE)), "none is left");
    spares.fill();
    assert_eq!(spares.held.lock().len(), SPARES_MAX);
}

#[test]
fn other_failures_cost_none() {
    let spares = Spares::filled();
    for errno in [Errno::CONNABORTED, Errno::NOBUFS, Errno::NOMEM] {
        assert!(!spares.give_up_for(&wanting(errno)));
    }
    assert_eq!(spares.held.lock().len(), SPARES_MAX);
}
