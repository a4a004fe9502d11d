//! Counters per route and core.

/// Counters of one route.
#[derive(Debug)]
pub struct RouteMeters {
    /// The route's name.
    pub name: sumun_policy::units::Name,
}
