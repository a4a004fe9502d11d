//! Figures at one resolution: seconds, ten seconds or minutes.
//!
//! A point ends with the last of its seconds, by the wall clock, and is kept from then on; the first
//! may be made of fewer. A steady stream of seconds is the caller's to give.

use super::column::Column;
use super::columns::{Figure, Roll};
use crate::telemetry::window::FineSum;

/// How long a point is, and how many are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolution {
    /// Seconds of a point.
    pub every_s: u64,
    /// Points.
    pub most: usize,
}

/// The points of one thing at one resolution.
#[derive(Debug)]
pub(super) struct Tier {
    resolution: Resolution,
    figures: &'static [Figure],
    /// One a figure, then one for each highest second; the latter not where a point is a second.
    columns: Vec<Column>,
    count: usize,
    /// The last second of the newest point.
    newest: u64,
    /// What the next point is made of.
    sums: Vec<Sum>,
    durations: FineSum,
}

/// One figure's seconds so far.
#[derive(Clone, Copy, Debug)]
struct Sum {
    total: f64,
    known: u32,
    least: f32,
    most: f32,
    last: f32,
}

/// Points as they are told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Points {
    /// Points.
    pub count: usize,
    /// The last second of the newest one, since 1970.
    pub to_unix_s: u64,
    /// By figure, the oldest point first, `count` each; NaN: unknown.
    pub figures: Vec<(&'static str, Vec<f32>)>,
}

// === impl Tier ===

impl Tier {
    pub(super) fn new(resolution: Resolution, figures: &'static [Figure]) -> Self {
        let peaks = figures.iter().filter(|figure| figure.peak.is_some()).count();
        let columns = figures.len() + if resolution.every_s > 1 { peaks } else { 0 };
        Self {
            resolution,
            figures,
            columns: vec![Column::default(); columns],
            count: 0,
            newest: 0,
            sums: vec![Sum::NONE; figures.len()],
            durations: FineSum::default(),
        }
    }

    /// Adds the second after the one that was added last: a number for each figure, NaN where it is
    /// unknown, and how long its calls took.
    pub(super) fn add(&mut self, second: u64, row: &[f32], durations: Option<&FineSum>) {
        for (sum, value) in self.sums.iter_mut().zip(row) {
            sum.add(*value);
        }
        if let Some(durations) = durations {
            self.durations.merge(durations);
        }
        if (second + 1).is_multiple_of(self.resolution.every_s) {
            self.newest = second;
            self.close();
        }
    }

    fn close(&mut self) {
        let (count, most) = (self.count, self.resolution.most);
        let mut columns = self.columns.iter_mut();
        let mut put = |value| {
            if let Some(column) = columns.next() {
                column.push(value, count, most);
            }
        };
        for (figure, sum) in self.figures.iter().zip(&self.sums) {
            put(match figure.roll {
                Roll::Mean => sum.mean(),
                Roll::Least => sum.least,
                Roll::Last => sum.last,
                Roll::Quantile(share) => self.durations.quantile(share),
            });
        }
        let peaks = self.figures.iter().zip(&self.sums).filter(|(figure, _)| figure.peak.is_some());
        peaks.for_each(|(_, sum)| put(sum.most)); // nowhere to put them where a point is a second
        self.count = (count + 1).min(most);
        self.sums.fill(Sum::NONE);
        self.durations = FineSum::default();
    }

    /// All points. Figures that were never known are left out, and rare ones that were always zero.
    pub(super) fn points(&self) -> Points {
        let count = self.count;
        let peaks = self.figures.iter().filter_map(|figure| figure.peak.map(|name| (name, false)));
        let names = self.figures.iter().map(|figure| (figure.name, figure.rare)).chain(peaks);
        let told = std::iter::zip(names, &self.columns).filter(|((_, rare), column)| {
            !(column.is_always(f32::NAN) || *rare && column.is_always(0.0))
        });
        let figures = told.map(|((name, _), column)| (name, column.newest(count))).collect();
        Points { count, to_unix_s: self.newest, figures }
    }

    /// The last points of one figure, at most `most`.
    pub(super) fn newest(&self, name: &str, most: usize) -> Vec<f32> {
        let at = self.figures.iter().position(|figure| figure.name == name);
        at.map_or_else(Vec::new, |at| self.columns[at].newest(self.count.min(most)))
    }

    /// All points of one figure as means of those that end within the same `every_s` seconds.
    pub(super) fn means(&self, name: &str, every_s: u64) -> Vec<f32> {
        let points = self.newest(name, self.count);
        let mut sums: Vec<(u64, Sum)> = Vec::new();
        for (at, value) in points.iter().enumerate() {
            let end = self.newest - (points.len() - 1 - at) as u64 * self.resolution.every_s;
            let place = end / every_s;
            if sums.last().is_none_or(|(last, _)| *last != place) {
                sums.push((place, Sum::NONE));
            }
            if let Some((_, sum)) = sums.last_mut() {
                sum.add(*value);
            }
        }
        sums.iter().map(|(_, sum)| sum.mean()).collect()
    }

    /// Memory beside itself, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.columns.iter().map(Column::bytes).sum::<usize>()
            + size_of_val(&*self.columns)
            + size_of_val(&*self.sums)
    }
}

// === impl Sum ===

impl Sum {
    const NONE: Self =
        Self { total: 0.0, known: 0, least: f32::NAN, most: f32::NAN, last: f32::NAN };

    fn add(&mut self, value: f32) {
        self.last = value;
        if !value.is_nan() {
            self.total += f64::from(value);
            self.known += 1;
            // Of a number and NaN these take the number.
            self.least = self.least.min(value);
            self.most = self.most.max(value);
        }
    }

    fn mean(&self) -> f32 {
        if self.known == 0 { f32::NAN } else { (self.total / f64::from(self.known)) as f32 }
    }
}

#[cfg(test)]
mod tests;
