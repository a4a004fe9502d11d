//! What the process itself uses, read from `/proc/self` when somebody asks.

use std::fs;
use std::path::Path;

use super::families::{Family, Value};

/// The process at this moment; what can't be read is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessState {
    /// User and system time, s.
    pub cpu_s: Option<f64>,
    /// Resident memory, bytes.
    pub resident_bytes: Option<u64>,
    /// Virtual memory, bytes.
    pub virtual_bytes: Option<u64>,
    /// Open file descriptors.
    pub fds: Option<u64>,
    /// The soft limit on them.
    pub fds_max: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// When it started, s since 1970.
    pub started_unix_s: f64,
}

// === impl ProcessState ===

impl ProcessState {
    /// Reads `/proc/self`; `started_unix_s` is known to the caller.
    pub fn read(started_unix_s: f64) -> Self {
        Self::read_from(Path::new("/proc/self"), started_unix_s)
    }

    fn read_from(proc: &Path, started_unix_s: f64) -> Self {
        let stat = fs::read_to_string(proc.join("stat")).unwrap_or_default();
        let limits = fs::read_to_string(proc.join("limits")).unwrap_or_default();
        let mut state = Self { started_unix_s, ..Self::default() };
        state.take_stat(&stat);
        state.fds = fs::read_dir(proc.join("fd")).ok().map(|entries| entries.count() as u64);
        state.fds_max = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|soft| soft.parse().ok());
        state
    }

    /// `proc_pid_stat(5)`. The second field is the program's name in parentheses, which may hold
    /// spaces and parentheses itself: fields are counted from the last one.
    fn take_stat(&mut self, stat: &str) {
        let Some((_, rest)) = stat.rsplit_once(')') else { return };
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).and_then(|f| f.parse::<u64>().ok());
        if let (Some(user), Some(system)) = (field(14), field(15)) {
            self.cpu_s = Some((user + system) as f64 / ticks_per_second());
        }
        self.threads = field(20);
        self.virtual_bytes = field(23);
        self.resident_bytes = field(24).map(|pages| pages * page_bytes());
    }

    /// As Prometheus' client libraries name them.
    pub(super) fn families(&self) -> [Family; 7] {
        let number = |family: Family, value: Option<f64>| match value {
            Some(value) => family.with(Value::Number(value)),
            None => family,
        };
        let whole = |family: Family, value: Option<u64>| number(family, value.map(|v| v as f64));
        [
            number(
                Family::counter(
                    "process_cpu_seconds_total",
                    "process.cpu.time",
                    "s",
                    "User and system CPU time of the gateway",
                ),
                self.cpu_s,
            ),
            whole(
                Family::gauge(
                    "process_resident_memory_bytes",
                    "process.memory.usage",
                    "By",
                    "Resident memory of the gateway",
                ),
                self.resident_bytes,
            ),
            whole(
                Family::gauge(
                    "process_virtual_memory_bytes",
                    "process.memory.virtual",
                    "By",
                    "Virtual memory of the gateway",
                ),
                self.virtual_bytes,
            ),
            whole(
                Family::gauge(
                    "process_open_fds",
                    "process.unix.file_descriptor.count",
                    "{file_descriptor}",
                    "Open file descriptors of the gateway",
                ),
                self.fds,
            ),
            whole(
                Family::gauge(
                    "process_max_fds",
                    "process.unix.file_descriptor.limit",
                    "{file_descriptor}",
                    "Most file descriptors the gateway may open",
                ),
                self.fds_max,
            ),
            whole(
                Family::gauge(
                    "process_threads",
                    "process.thread.count",
                    "{thread}",
                    "Threads of the gateway",
                ),
                self.threads,
            ),
            Family::gauge(
                "process_start_time_seconds",
                "process.start_time",
                "s",
                "When the gateway started, in seconds since 1970",
            )
            .with(Value::Number(self.started_unix_s)),
        ]
    }
}

/// The unit of times in `/proc`.
pub(crate) fn ticks_per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

fn page_bytes() -> u64 {
    rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests;
