//! One figure over time: as many numbers as its tier keeps, the oldest overwritten.
//!
//! A column that has only ever had one value is that value and takes no memory: thresholds that
//! nobody changes, limits that are not there, reasons for which nobody is refused. Else it grows as
//! time passes, to four bytes a point.

/// Points by which a column grows: a minute of seconds.
const GROWTH: usize = 60;

/// A ring of numbers; NaN is "unknown". How many of them there are is its tier's to know.
#[derive(Clone, Debug)]
pub(super) enum Column {
    /// The same at every point.
    Steady(f32),
    /// Each point its own; `oldest` is the place of the oldest once the ring is full.
    Ring { values: Vec<f32>, oldest: usize },
}

// === impl Column ===

impl Default for Column {
    fn default() -> Self {
        Self::Steady(f32::NAN)
    }
}

impl Column {
    /// Adds the newest of the points, of which there have been `count`; at most `most` are kept.
    pub(super) fn push(&mut self, value: f32, count: usize, most: usize) {
        if let Self::Steady(steady) = self {
            if count == 0 {
                *steady = value;
            }
            if is_same(*steady, value) {
                return;
            }
            let mut values = Vec::new();
            values.reserve_exact((count + GROWTH).min(most));
            values.resize(count, *steady);
            *self = Self::Ring { values, oldest: 0 };
        }
        let Self::Ring { values, oldest } = self else { return };
        if values.len() < most {
            if values.len() == values.capacity() {
                values.reserve_exact(GROWTH.min(most - values.len()));
            }
            values.push(value);
        } else {
            values[*oldest] = value;
            *oldest = (*oldest + 1) % most;
        }
    }

    /// The last `count` points, the oldest first. There must be as many.
    pub(super) fn newest(&self, count: usize) -> Vec<f32> {
        match self {
            Self::Steady(value) => vec![*value; count],
            Self::Ring { values, oldest } => {
                let (newer, older) = values.split_at(*oldest);
                let skipped = values.len() - count;
                older.iter().chain(newer).skip(skipped).copied().collect()
            }
        }
    }

    /// Whether it is `value` at every point.
    pub(super) fn is_always(&self, value: f32) -> bool {
        match self {
            Self::Steady(steady) => is_same(*steady, value),
            Self::Ring { values, .. } => values.iter().all(|known| is_same(*known, value)),
        }
    }

    /// Memory beside itself, bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Steady(_) => 0,
            Self::Ring { values, .. } => values.capacity() * size_of::<f32>(),
        }
    }
}

/// Equal, where unknown equals unknown.
fn is_same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

#[cfg(test)]
mod tests;
