//! Metrics as Prometheus reads them: the text format, version 0.0.4.

use std::fmt::Write;

use super::cells::{BOUNDS_S, HistogramSum};
use super::families::{Family, Kind, Label, Point, Value};

/// Content type of what [`render`] writes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The text of all families.
pub fn render(families: &[Family]) -> String {
    let mut text = String::with_capacity(families.len() * 512);
    for family in families {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP {0} {1}\n# TYPE {0} {kind}", family.name, family.help);
        for point in &family.points {
            write_point(&mut text, family.name, point);
        }
    }
    text
}

fn write_point(text: &mut String, name: &str, point: &Point) {
    match &point.value {
        Value::Count(count) => {
            text.push_str(name);
            write_labels(text, &point.labels, None);
            let _ = writeln!(text, " {count}");
        }
        Value::Number(number) => {
            text.push_str(name);
            write_labels(text, &point.labels, None);
            text.push(' ');
            write_number(text, *number);
            text.push('\n');
        }
        Value::Durations(sum) => write_histogram(text, name, &point.labels, sum),
    }
}

fn write_histogram(
    text: &mut String,
    name: &str,
    labels: &[(&'static str, Label)],
    sum: &HistogramSum,
) {
    let mut below = 0;
    let bounds = BOUNDS_S.iter().map(Some).chain([None]);
    for (count, bound) in sum.buckets.iter().zip(bounds) {
        below += count;
        text.push_str(name);
        text.push_str("_bucket");
        let bound = bound.map_or_else(|| "+Inf".to_owned(), ToString::to_string);
        write_labels(text, labels, Some(&bound));
        let _ = writeln!(text, " {below}");
    }
    for (suffix, value) in
        [("_sum ", sum.sum.as_secs_f64().to_string()), ("_count ", below.to_string())]
    {
        text.push_str(name);
        text.push_str(suffix.trim_end());
        write_labels(text, labels, None);
        let _ = writeln!(text, " {value}");
    }
}

fn write_labels(text: &mut String, labels: &[(&'static str, Label)], bound: Option<&str>) {
    if labels.is_empty() && bound.is_none() {
        return;
    }
    text.push('{');
    let mut comma = "";
    for (name, value) in labels {
        text.push_str(comma);
        text.extend(name.chars().map(|c| if c == '.' { '_' } else { c }));
        text.push_str("=\"");
        match value {
            Label::Word(word) => escape(text, word),
            Label::Text(value) => escape(text, value),
            Label::Number(number) => {
                let _ = write!(text, "{number}");
            }
        }
        text.push('"');
        comma = ",";
    }
    if let Some(bound) = bound {
        let _ = write!(text, "{comma}le=\"{bound}\"");
    }
    text.push('}');
}

fn escape(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
}

fn write_number(text: &mut String, number: f64) {
    if number == f64::INFINITY {
        text.push_str("+Inf");
    } else if number == f64::NEG_INFINITY {
        text.push_str("-Inf");
    } else {
        let _ = write!(text, "{number}");
    }
}

#[cfg(test)]
mod tests;
