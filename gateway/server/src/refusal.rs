//! The only table from a refusal to a response: status, headers, gRPC status, metric label.

/// Why the gateway answers by itself. The text is the `code` of the problem and the metric's `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// Malformed or ambiguous request.
    BadRequest,
    /// No route matches.
    RouteUnknown,
    /// CONNECT, TRACE or a method the gateway doesn't forward.
    MethodNotAllowed,
    /// Over the requests per second.
    RpsOver,
    /// Over the CPU threshold.
    CpuOver,
    /// Over the workers threshold.
    WorkersOver,
    /// The function is out of slots.
    QuotaFull,
    /// Request body over its limit.
    BodyTooLarge,
    /// Request head over its limit.
    HeadTooLarge,
    /// Request target too long.
    TargetTooLong,
    /// The request took too long to arrive.
    RequestTimeout,
    /// `only-if-cached` and not cached.
    NotCached,
    /// HTTP version not supported.
    VersionUnknown,
    /// The call has been here before (Via).
    Loop,
    /// The upstream could not be reached.
    UpstreamUnreachable,
    /// The upstream closed, reset or answered malformed bytes.
    UpstreamReset,
    /// The upstream was too slow.
    UpstreamTimeout,
    /// No usable endpoint.
    NoEndpoint,
    /// The gateway is draining.
    Draining,
    /// The gateway itself is at its limit.
    GatewayOverloaded,
    /// A defect of the gateway: the call's stage panicked.
    Internal,
}
