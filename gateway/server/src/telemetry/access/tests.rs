use std::path::Path;

use super::super::fixture::call;
use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

fn start(path: &Path, cores: usize) -> AccessLog {
    let settings = AccessLogSettings { format: AccessLogFormat::Json, to: Some(path.into()) };
    AccessLog::start(&settings, cores, Wall::from_zero(0)).unwrap().unwrap()
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap().lines().count()
}

fn wait(condition: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "the condition holds in time");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn lines_of_all_cores_reach_the_file_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let log = start(&path, 3);
    std::thread::scope(|scope| {
        for core in 0..3 {
            let log = &log;
            scope.spawn(move || {
                let core = log.core(core);
                (0..100).for_each(|_| core.write(&call(None)));
            });
        }
    });
    log.flush(PATIENCE);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 300);
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    assert_eq!(log.dropped(), 0);
}

#[test]
fn lines_come_by_themselves_and_on_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let log = start(&path, 1);
    let core = log.core(0);
    core.write(&call(None));
    wait(|| lines(&path) == 1);
    core.write(&call(None));
    drop(log);
    wait(|| lines(&path) == 2);
}

#[test]
fn after_a_rotation_lines_go_to_the_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let log = start(&path, 1);
    let core = log.core(0);
    core.write(&call(None));
    log.flush(PATIENCE);
    let rotated = folder.path().join("access.log.1");
    std::fs::rename(&path, &rotated).unwrap();
    core.write(&call(None));
    log.flush(PATIENCE);
    assert_eq!(lines(&rotated), 2, "not told yet: the old file goes on");
    log.reopen();
    log.flush(PATIENCE);
    core.write(&call(None));
    log.flush(PATIENCE);
    assert_eq!((lines(&rotated), lines(&path)), (2, 1));
}

#[test]
fn a_log_that_cannot_be_written_as_fast_drops_lines_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    // A pipe that nobody empties: it takes 64 KiB, then the writer waits.
    let path = folder.path().join("pipe");
    let status = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(status.success());
    let reader = File::options().read(true).write(true).open(&path).unwrap();
    let log = start(&path, 1);
    let core = log.core(0);
    let mut written = 0;
    let until = Instant::now() + PATIENCE;
    while log.dropped() == 0 {
        assert!(Instant::now() < until, "a line is dropped in time");
        core.write(&call(None));
        written += 1;
    }
    let waiting = log.shared.buffers[0].lines.lock().len();
    assert!(waiting <= BUFFER_BYTES, "{waiting} bytes wait");
    assert!(written > 500, "it took {written} lines to fill the buffer");
    // Emptied, it goes on: the writer gets through, so that its thread ends.
    let mut drained = reader;
    std::thread::spawn(move || io::copy(&mut drained, &mut io::sink()));
    log.flush(PATIENCE);
    assert!(log.shared.buffers[0].lines.lock().is_empty());
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_off_is_off() {
    let format = AccessLogFormat::Json;
    let to = Some("/nonexistent/access.log".into());
    let wall = Wall::from_zero(0);
    assert!(AccessLog::start(&AccessLogSettings { format, to }, 1, wall).is_err());
    let off = AccessLogSettings { format: AccessLogFormat::Off, to: None };
    assert!(AccessLog::start(&off, 1, wall).unwrap().is_none());
}
