//! Which traces are kept, decided before anything is recorded.
//!
//! `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` as OpenTelemetry's specification has them.
//! Where nothing is said: the caller's decision, and 1 % of the traces that begin here.

use super::traceparent::Parent;

/// Share kept where nothing is said.
const RATIO_DEFAULT: f64 = 0.01;

/// Decides by the caller's decision, the trace id, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampler {
    /// Whether a caller's decision stands.
    parent_based: bool,
    /// Traces whose lowest 63 bits are under this are kept; 2⁶³: all.
    threshold: u64,
}

/// The sampler's name or argument makes no sense.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum SamplerError {
    /// Not one of the names of the specification.
    #[error(
        "OTEL_TRACES_SAMPLER is `{0}`; known are always_on, always_off, traceidratio and the same with parentbased_"
    )]
    Unknown(String),
    /// Not a share between 0 and 1.
    #[error("OTEL_TRACES_SAMPLER_ARG is `{0}`; it must be a number between 0 and 1")]
    Ratio(String),
}

// === impl Sampler ===

impl Sampler {
    /// From the two variables.
    pub fn new(name: Option<&str>, argument: Option<&str>) -> Result<Self, SamplerError> {
        let Some(name) = name else {
            let ratio = argument.map_or(Ok(RATIO_DEFAULT), parse_ratio)?;
            return Ok(Self::of(true, ratio));
        };
        let (parent_based, kind) = match name.strip_prefix("parentbased_") {
            Some(kind) => (true, kind),
            None => (false, name),
        };
        let ratio = match kind {
            "always_on" => 1.0,
            "always_off" => 0.0,
            // The specification's default for the ratio is 1.0.
            "traceidratio" => argument.map_or(Ok(1.0), parse_ratio)?,
            _ => return Err(SamplerError::Unknown(name.to_owned())),
        };
        Ok(Self::of(parent_based, ratio))
    }

    fn of(parent_based: bool, ratio: f64) -> Self {
        Self { parent_based, threshold: (ratio * (1_u64 << 63) as f64) as u64 }
    }

    /// What holds where nothing is said.
    pub fn usual() -> Self {
        Self::of(true, RATIO_DEFAULT)
    }

    /// Only the caller's decision: where nothing is exported, none is made here.
    pub fn pass_on() -> Self {
        Self::of(true, 0.0)
    }

    /// Whether to keep the trace. The same trace id gets the same answer from every gateway.
    pub fn keeps(self, trace_id: u128, parent: Option<&Parent>) -> bool {
        match parent {
            Some(parent) if self.parent_based => parent.sampled,
            _ => (trace_id as u64) >> 1 < self.threshold,
        }
    }
}

fn parse_ratio(text: &str) -> Result<f64, SamplerError> {
    let ratio = text.trim().parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| SamplerError::Ratio(text.to_owned()))
}

#[cfg(test)]
mod tests;
