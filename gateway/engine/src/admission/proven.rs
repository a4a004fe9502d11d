//! The proven limit: what a lane's limit was while all was well.
//!
//! One sample a minute, the lowest limit of its healthy moments (signals fresh, nothing over its
//! threshold), kept for an hour. The 10th percentile of them is what holds when the signals are
//! gone: a limit under which the service has shown to be well nine minutes of ten.

use std::time::Duration;

use crate::time::Moment;

/// Samples kept: an hour of minutes, 240 bytes a lane.
const SAMPLES_MAX: usize = 60;

/// What one sample covers.
const SAMPLE_EVERY: Duration = Duration::from_mins(1);

/// Limits under which a lane was healthy.
#[derive(Debug, Default)]
pub(crate) struct Proven {
    samples: Vec<u32>,
    /// Where the next sample goes once all places are taken.
    oldest: usize,
    current: Option<(Moment, u32)>,
}

impl Proven {
    /// Notes the limit in force at a healthy moment.
    pub(crate) fn note(&mut self, limit: u32, now: Moment) {
        match self.current {
            Some((began, lowest)) if now.since(began) < SAMPLE_EVERY => {
                self.current = Some((began, lowest.min(limit)));
            }
            Some((_, lowest)) => {
                self.keep(lowest);
                self.current = Some((now, limit));
            }
            None => self.current = Some((now, limit)),
        }
    }

    /// The 10th percentile; `None` where nothing was ever healthy. The running minute counts.
    pub(crate) fn limit(&self) -> Option<u32> {
        let mut limits = [u32::MAX; SAMPLES_MAX + 1];
        let known = self.samples.iter().copied().chain(self.current.map(|(_, lowest)| lowest));
        let mut count = 0;
        for (place, limit) in limits.iter_mut().zip(known) {
            *place = limit;
            count += 1;
        }
        let limits = &mut limits[..count];
        limits.sort_unstable();
        limits.get(count.saturating_sub(1) / 10).copied()
    }

    fn keep(&mut self, limit: u32) {
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(limit);
            return;
        }
        self.samples[self.oldest] = limit;
        self.oldest = (self.oldest + 1) % SAMPLES_MAX;
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
