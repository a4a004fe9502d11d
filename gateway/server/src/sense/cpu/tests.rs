use std::time::Duration;

use super::*;

/// A made-up `/`.
struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn group(&self, group: &str, max: &str, used_us: u64) {
        self.write(&format!("sys/fs/cgroup/{group}/cpu.max"), max);
        let stat = format!("usage_usec {used_us}\nuser_usec 1\nsystem_usec 1\n");
        self.write(&format!("sys/fs/cgroup/{group}/cpu.stat"), &stat);
    }

    fn ticks(&self, own: (u64, u64), all: u64) {
        self.write(
            "proc/self/stat",
            &format!("7 (su (m) un) S 1 7 7 0 -1 0 0 0 0 0 {} {} 0 0 20 0 3 0 9", own.0, own.1),
        );
        let half = all / 2;
        self.write(
            "proc/stat",
            &format!("cpu  {half} 0 0 {half} 0 0 0 0 0 0\ncpu0 1 1 1 1\ncpu1 1 1 1 1\nintr 5\n"),
        );
    }

    fn meter(&self) -> CpuMeter {
        CpuMeter::new(self.0.path())
    }
}

fn at(ms: u64) -> Moment {
    Moment::default().plus(Duration::from_millis(ms))
}

fn near(found: Option<f64>, expected: f64) {
    assert!(found.is_some_and(|f| (f - expected).abs() < 1e-9), "{found:?} is not {expected}");
}

#[test]
fn a_quota_of_half_a_core_is_full_at_half_a_core() {
    let root = Root::new();
    root.write("proc/self/cgroup", "0::/app\n");
    root.group("app", "50000 100000\n", 0);
    let mut meter = root.meter();
    assert_eq!(meter.sample(at(0)), None, "one sample is no rate");
    root.group("app", "50000 100000\n", 500_000);
    near(meter.sample(at(1000)), 1.0);
    root.group("app", "50000 100000\n", 600_000);
    near(meter.sample(at(2000)), 0.2);
}

#[test]
fn the_tightest_group_above_counts() {
    let root = Root::new();
    root.write("proc/self/cgroup", "0::/slice/app\n");
    let write = |used_us| {
        root.group("slice/app", "max 100000\n", used_us);
        root.group("slice", "100000 100000\n", used_us * 4); // its siblings use the rest
    };
    write(0);
    let mut meter = root.meter();
    meter.sample(at(0));
    write(200_000);
    near(meter.sample(at(1000)), 0.8);
}

#[test]
fn of_nested_quotas_the_one_used_up_first_counts() {
    let root = Root::new();
    root.write("proc/self/cgroup", "0::/pod/app\n");
    let write = |app_us, pod_us| {
        root.group("pod/app", "200000 100000\n", app_us); // two cores
        root.group("pod", "400000 100000\n", pod_us); // four
        root.group("", "max 100000\n", 1); // the root group has none
    };
    write(0, 0);
    let mut meter = root.meter();
    meter.sample(at(0));
    write(1_000_000, 1_000_000);
    near(meter.sample(at(1000)), 0.5);
    write(1_200_000, 4_600_000); // its siblings take the rest of the pod
    near(meter.sample(at(2000)), 0.9);
}

#[test]
fn a_quota_of_more_cores_than_there_are_is_not_believed() {
    let root = Root::new();
    root.write("proc/self/cgroup", "0::/app\n");
    root.group("app", "800000 100000\n", 0); // eight of two
    root.ticks((0, 0), 0);
    let mut meter = root.meter();
    meter.sample(at(0));
    root.group("app", "800000 100000\n", 2_000_000);
    root.ticks((200, 0), 200);
    near(meter.sample(at(1000)), 1.0);
}

#[test]
fn a_group_moved_to_is_measured_from_then_on() {
    let root = Root::new();
    root.write("proc/self/cgroup", "0::/old\n");
    root.group("old", "100000 100000\n", 0);
    root.group("new", "100000 100000\n", 9_000_000);
    let mut meter = root.meter();
    meter.sample(at(0));
    root.write("proc/self/cgroup", "0::/new\n");
    assert_eq!(meter.sample(at(1000)), None, "what it used before is not this second's");
    root.group("new", "100000 100000\n", 9_300_000);
    near(meter.sample(at(2000)), 0.3);
}

#[test]
fn a_quota_that_changes_is_followed() {
    let root = Root::new();
    root.write("proc/self/cgroup", "0::/app\n");
    root.group("app", "100000 100000\n", 0);
    let mut meter = root.meter();
    meter.sample(at(0));
    root.group("app", "200000 100000\n", 1_000_000);
    near(meter.sample(at(1000)), 0.5);
}

#[test]
fn without_a_quota_it_is_the_share_of_the_cpus() {
    let root = Root::new();
    root.write("proc/self/cgroup", "0::/app\n");
    root.group("app", "max 100000\n", 0);
    root.ticks((10, 10), 1000);
    let mut meter = root.meter();
    assert_eq!(meter.sample(at(0)), None);
    root.ticks((40, 30), 1200);
    near(meter.sample(at(1000)), 0.25);
}

#[test]
fn a_process_pinned_to_one_of_two_cpus_is_full_at_one() {
    let root = Root::new();
    root.write("proc/self/status", "Name:\tsumun\nCpus_allowed_list:\t1\n");
    root.ticks((0, 0), 0);
    let mut meter = root.meter();
    meter.sample(at(0));
    root.ticks((100, 0), 200);
    near(meter.sample(at(1000)), 1.0);
}

#[test]
fn lists_of_cpus() {
    let root = Root::new();
    for (list, expected) in
        [("0", Some(1)), ("0-3", Some(4)), ("0-1,4,6-7", Some(5)), ("3-1", None), ("x", None)]
    {
        root.write("proc/self/status", &format!("Cpus_allowed_list:\t{list}\n"));
        assert_eq!(root.meter().allowed_cpus(), expected, "{list}");
    }
}

#[test]
fn where_nothing_can_be_read_nothing_is_said() {
    let root = Root::new();
    let mut meter = root.meter();
    assert_eq!(meter.sample(at(0)), None);
    assert_eq!(meter.sample(at(1000)), None);
    root.write("proc/self/cgroup", "12:cpu:/v1\n");
    assert_eq!(meter.sample(at(2000)), None);
}

#[test]
fn this_machine_gives_a_share() {
    let mut meter = CpuMeter::new("/");
    let started = std::time::Instant::now();
    meter.sample(at(0));
    let share = loop {
        // Burn, so that there is something to measure and the ticks move on.
        std::hint::black_box((0..1_000_000_u64).sum::<u64>());
        let elapsed = started.elapsed();
        if elapsed > Duration::from_millis(200) {
            break meter.sample(at(elapsed.as_millis() as u64));
        }
    };
    let share = share.expect("Linux has /proc");
    assert!(share > 0.0 && share < 2.0, "{share}");
}
