//! The words of a policy's choices, as they are written in it.

use super::{Class, CpuOf, Mode, OnStale, Per, Protocol, Source};

impl Class {
    /// As written in a policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Batch => "batch",
            Self::Default => "default",
            Self::Interactive => "interactive",
        }
    }
}

impl Mode {
    /// As written in a policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
            Self::Off => "off",
        }
    }
}

impl Protocol {
    /// As written in a policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Http1 => "http1",
            Self::Http2 => "http2",
        }
    }
}

impl Source {
    /// As written in a policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Actuator => "actuator",
            Self::Prometheus => "prometheus",
            Self::Orca => "orca",
        }
    }
}

impl Per {
    /// As written in a policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Caller => "caller",
        }
    }
}

impl CpuOf {
    /// As written in a policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Gateway => "gateway",
        }
    }
}

impl OnStale {
    /// As written in a policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}
