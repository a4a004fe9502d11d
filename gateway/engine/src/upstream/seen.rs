//! What a round of the slow loop sees of the world outside it: read once at its beginning, so that
//! what is kept for a replay is what was reckoned with.

use std::sync::Arc;

use crate::endpoint::{Endpoint, GAUGES};
use crate::signals::{Gauge, Patience, Sample, SignalState};
use crate::time::Moment;

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The gateway's own CPU.
    pub own_cpu: Option<Sample>,
    /// In the order of the upstream's.
    pub endpoints: Vec<EndpointSeen>,
    /// Whether our own calls stood in for what some endpoints did not tell.
    pub stood_in: bool,
}

/// An endpoint at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EndpointSeen {
    pub up: bool,
    pub in_flight: u32,
    /// In the order of [`Endpoint::gauges`].
    pub gauges: [Option<Sample>; GAUGES],
}

// === impl Seen ===

impl Seen {
    /// Reads everything; allocates nothing once it has grown.
    pub(crate) fn read(&mut self, endpoints: &[Arc<Endpoint>], own_cpu: &Gauge) {
        self.own_cpu = own_cpu.last();
        self.endpoints.clear();
        self.endpoints.extend(endpoints.iter().map(|endpoint| EndpointSeen {
            up: endpoint.is_up(),
            in_flight: endpoint.in_flight(),
            gauges: endpoint.gauges().map(Gauge::last),
        }));
        self.stood_in = false;
    }
}

// === impl EndpointSeen ===

impl EndpointSeen {
    pub(crate) fn busy(&self) -> Option<Sample> {
        self.gauges[0]
    }

    pub(crate) fn own(&self) -> Option<Sample> {
        self.gauges[1]
    }

    pub(crate) fn max(&self) -> Option<Sample> {
        self.gauges[2]
    }

    pub(crate) fn cpu(&self) -> Option<Sample> {
        self.gauges[3]
    }

    pub(crate) fn pressed(&self) -> Option<Sample> {
        self.gauges[4]
    }
}

/// What a reading is worth now.
pub(crate) fn state(sample: Option<Sample>, patience: Patience, now: Moment) -> SignalState {
    patience.state(sample.map(|sample| sample.at), now)
}
