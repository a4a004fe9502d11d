//! Prometheus text, parsed into samples.

use std::collections::{BTreeMap, BTreeSet};

/// The samples of one scrape.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    samples: Vec<Sample>,
}

#[derive(Clone, Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

// === impl Metrics ===

impl Metrics {
    /// Reads an exposition.
    ///
    /// # Panics
    /// On a line that is no comment and no sample.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self { samples: lines.map(Sample::parse).collect() }
    }

    /// The sum of all series that the selector names; `None` where there is none. The selector is
    /// a name, with labels that must be there: `sumun_inflight{route="a"}`. Other labels may be.
    pub fn get(&self, selector: &str) -> Option<f64> {
        let values: Vec<f64> = self.matching(selector).map(|sample| sample.value).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }

    /// As [`Metrics::get`]; 0 where there is no such series.
    pub fn sum(&self, selector: &str) -> f64 {
        self.get(selector).unwrap_or(0.0)
    }

    /// Each matching series with its value, for messages.
    pub fn series(&self, selector: &str) -> Vec<(String, f64)> {
        let matching = self.matching(selector);
        matching
            .map(|sample| (format!("{}{:?}", sample.name, sample.labels), sample.value))
            .collect()
    }

    /// Values of one label over all series of a name.
    pub fn label_values(&self, name: &str, label: &str) -> Vec<String> {
        let named = self.samples.iter().filter(|sample| sample.name == name);
        let mut values: Vec<String> =
            named.filter_map(|sample| sample.labels.get(label).cloned()).collect();
        values.sort();
        values.dedup();
        values
    }

    /// Names that begin so, each once.
    pub fn names(&self, begin: &str) -> BTreeSet<&str> {
        self.samples.iter().map(|sample| &*sample.name).filter(|n| n.starts_with(begin)).collect()
    }

    /// Whether any series has this name.
    pub fn has(&self, name: &str) -> bool {
        self.samples.iter().any(|sample| sample.name == name)
    }

    fn matching(&self, selector: &str) -> impl Iterator<Item = &Sample> {
        let wanted = Sample::parse(&format!("{selector} 0"));
        self.samples.iter().filter(move |sample| {
            sample.name == wanted.name
                && wanted.labels.iter().all(|(name, value)| sample.labels.get(name) == Some(value))
        })
    }
}

// === impl Sample ===

impl Sample {
    fn parse(line: &str) -> Self {
        Self::read(line).unwrap_or_else(|| panic!("not a Prometheus sample: {line:?}"))
    }

    fn read(line: &str) -> Option<Self> {
        let series_end = line.find(['{', ' '])?;
        let (name, rest) = line.split_at(series_end);
        let (inside, rest) = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once('}')?,
            None => ("", rest),
        };
        // `+Inf`, `-Inf` and `NaN` are numbers for Rust, too. A time may follow.
        let value = rest.split_whitespace().next()?.parse().ok()?;
        Some(Self { name: name.to_owned(), labels: labels(inside), value })
    }
}

/// `a="b",c="d"`, with the escapes of the text format.
fn labels(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut characters = after.char_indices();
        let mut end = after.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    end = at + 1;
                    break;
                }
                '\\' => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, other)) => value.push(other),
                    None => {}
                },
                other => value.push(other),
            }
        }
        labels.insert(name.trim_matches([',', ' ']).to_owned(), value);
        rest = &after[end..];
    }
    labels
}
