//! `Sumun-Class`: what a call says of its own class, and what comes of it.
//!
//! The route says how much its calls may be shed. A call may say that it may be shed sooner; that it
//! may be shed later, only a caller may say that is listed in `callers.may_raise`. What is said
//! otherwise is ignored, and counted. Upstreams are told the class that held, never what was said.

use http::{HeaderName, HeaderValue};
use sumun_policy::policy::Class;

/// The field's name.
pub const SUMUN_CLASS: HeaderName = HeaderName::from_static("sumun-class");

/// What came of a `Sumun-Class`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassAsked {
    /// Shed sooner than the route says.
    Lowered,
    /// Shed later than the route says.
    Raised,
    /// It is not for this caller to be shed later.
    Denied,
    /// No class has this name.
    Unknown,
    /// What the route says anyway.
    Same,
}

impl ClassAsked {
    /// Every outcome with its label, in the order of the enum.
    pub const LABELS: [&'static str; 5] = ["lowered", "raised", "denied", "unknown", "same"];
}

/// The class that holds for a call, and what came of what it asked for.
pub fn settle(
    route: Class,
    asked: &HeaderValue,
    may_raise: impl FnOnce() -> bool,
) -> (Class, ClassAsked) {
    let Some(class) = Class::ALL.into_iter().find(|class| *asked == class.as_str()) else {
        return (route, ClassAsked::Unknown);
    };
    match class.cmp(&route) {
        std::cmp::Ordering::Less => (class, ClassAsked::Lowered),
        std::cmp::Ordering::Equal => (route, ClassAsked::Same),
        std::cmp::Ordering::Greater if may_raise() => (class, ClassAsked::Raised),
        std::cmp::Ordering::Greater => (route, ClassAsked::Denied),
    }
}

/// The field as an upstream gets it.
pub fn told(class: Class) -> HeaderValue {
    HeaderValue::from_static(class.as_str())
}

#[cfg(test)]
mod tests;
