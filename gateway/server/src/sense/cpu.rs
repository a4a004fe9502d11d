//! The gateway's own CPU share: what it uses of what it may use.
//!
//! Under a cgroup v2 quota that is the use of the tightest group above it, itself included, as a share
//! of that group's quota (`cpu.max`, `cpu.stat`): a container of half a core is full at half a core.
//! It is never less than the process's time as a share of the CPUs it may run on (`/proc`), which is
//! all there is without a quota, and what is full first under one of more cores than it may use.

use std::fs;
use std::path::{Path, PathBuf};

use sumun_engine::Moment;

/// Groups looked at from the process's own upwards; real hierarchies have three to six.
const GROUPS_MAX: usize = 16;

/// Measures between two samples.
#[derive(Debug)]
pub struct CpuMeter {
    root: PathBuf,
    last: Option<(Moment, Vec<Usage>)>,
    last_ticks: Option<Ticks>,
}

/// What a group has used and may use.
#[derive(Clone, Debug, PartialEq)]
struct Usage {
    group: PathBuf,
    used_us: u64,
    /// Cores; the group has a quota.
    quota_cores: f64,
}

/// Clock ticks since the start, of this process and of the CPUs it may run on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ticks {
    own: u64,
    all: u64,
    /// CPUs of the machine for each one that the process may run on.
    cpus_per_allowed: f64,
}

// === impl CpuMeter ===

impl CpuMeter {
    /// Reads below `root`: `/`, or a copy of `proc` and `sys/fs/cgroup` in tests.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), last: None, last_ticks: None }
    }

    /// The share since the sample before, mostly 0..=1 (a quota can be overdrawn for a moment);
    /// `None` on the first sample and where nothing can be read.
    pub fn sample(&mut self, now: Moment) -> Option<f64> {
        let ticks = self.ticks();
        let by_time = self.last_ticks.zip(ticks).and_then(|(before, now)| now.share(before));
        self.last_ticks = ticks;

        let usages = self.usages();
        let by_quota = self.last.take().and_then(|(then, before)| {
            let passed_us = now.since(then).as_micros() as f64;
            let share = |usage: &Usage| {
                let before = before.iter().find(|before| before.group == usage.group)?;
                let used_us = usage.used_us.checked_sub(before.used_us)? as f64;
                (passed_us > 0.0).then(|| used_us / (passed_us * usage.quota_cores))
            };
            usages.iter().filter_map(share).reduce(f64::max)
        });
        self.last = Some((now, usages));
        by_quota.into_iter().chain(by_time).reduce(f64::max)
    }

    /// Every group with a quota, from the process's own upwards.
    fn usages(&self) -> Vec<Usage> {
        let Ok(own) = fs::read_to_string(self.root.join("proc/self/cgroup")) else {
            return Vec::new();
        };
        // cgroup v2 has the one line `0::/path`.
        let Some(path) = own.lines().find_map(|line| line.strip_prefix("0::/")) else {
            return Vec::new();
        };
        let top = self.root.join("sys/fs/cgroup");
        let groups = top.join(path.trim_start_matches('/'));
        let within = |group: &&Path| group.starts_with(&top);
        groups.ancestors().take_while(within).take(GROUPS_MAX).filter_map(usage).collect()
    }

    fn ticks(&self) -> Option<Ticks> {
        let proc = self.root.join("proc");
        let own = fs::read_to_string(proc.join("self/stat")).ok()?;
        // The name in parentheses may hold anything: fields count from the last parenthesis.
        let own = own.rsplit_once(')')?.1;
        let mut times = own.split_whitespace().skip(11).map(str::parse::<u64>);
        let own = times.next()?.ok()? + times.next()?.ok()?;

        let stat = fs::read_to_string(proc.join("stat")).ok()?;
        let total = stat.lines().next()?.strip_prefix("cpu ")?;
        // user nice system idle iowait irq softirq steal; guest time is part of user time.
        let all = total.split_whitespace().take(8).filter_map(|n| n.parse::<u64>().ok()).sum();
        let is_cpu = |line: &&str| {
            line.strip_prefix("cpu").is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()))
        };
        let cpus = stat.lines().filter(is_cpu).count().max(1);
        let allowed = self.allowed_cpus().unwrap_or(cpus).clamp(1, cpus);
        Some(Ticks { own, all, cpus_per_allowed: cpus as f64 / allowed as f64 })
    }

    /// `Cpus_allowed_list: 0-3,8`.
    fn allowed_cpus(&self) -> Option<usize> {
        let status = fs::read_to_string(self.root.join("proc/self/status")).ok()?;
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        let count = |range: &str| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
            (first <= last).then(|| last - first + 1)
        };
        list.trim().split(',').map(count).sum()
    }
}

// === impl Ticks ===

impl Ticks {
    fn share(self, before: Self) -> Option<f64> {
        let own = self.own.checked_sub(before.own)? as f64;
        let all = self.all.checked_sub(before.all).filter(|all| *all > 0)? as f64;
        Some(own / all * self.cpus_per_allowed)
    }
}

/// `None` where the group has no quota: `cpu.max` says `max`, or is absent as in the root group.
fn usage(group: &Path) -> Option<Usage> {
    let max = fs::read_to_string(group.join("cpu.max")).ok()?;
    let mut words = max.split_whitespace().map(str::parse::<f64>);
    let (quota_us, period_us) = (words.next()?.ok()?, words.next()?.ok()?);
    let stat = fs::read_to_string(group.join("cpu.stat")).ok()?;
    let used = stat.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
    let quota_cores = quota_us / period_us;
    (quota_cores > 0.0 && quota_cores.is_finite()).then_some(())?;
    Some(Usage { group: group.to_owned(), used_us: used.trim().parse().ok()?, quota_cores })
}

#[cfg(test)]
mod tests;
