//! What the kernel says about a process.

use std::fs;

/// Memory of a process that no file is behind, KiB: heap, stacks, buffers. Not its program, whose
/// pages it shares with every other gateway that runs just then.
pub fn anonymous_kib(pid: u32) -> u64 {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"));
    let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:"));
    let kib = line.expect("a line for it").split_whitespace().next();
    kib.and_then(|kib| kib.parse().ok()).expect("a number of kB")
}

/// Number of open descriptors of a process.
pub fn fd_count(pid: u32) -> usize {
    let path = format!("/proc/{pid}/fd");
    fs::read_dir(&path).unwrap_or_else(|why| panic!("{path}: {why}")).count()
}

/// User and system time of a process so far, in clock ticks (10 ms).
pub fn cpu_ticks(pid: u32) -> u64 {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"));
    // The second field is a name in parentheses that may hold spaces: count after it.
    let after = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = after.split_whitespace().collect();
    fields[11].parse::<u64>().expect("utime") + fields[12].parse::<u64>().expect("stime")
}
