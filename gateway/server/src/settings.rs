//! How this process runs: fixed until restart.
//!
//! [`load`] reads flags, environment and `sumun.yaml` once, at the start; [`Settings`] is what they
//! mean. Every setting stands once in `keys`, with its bounds and the reason for its default.

mod callers;
mod keys;
mod load;
mod private;
mod problem;
mod render;
mod shared_store;
mod substitute;
mod users;
mod values;
pub(crate) mod written;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

pub use callers::{Believe, CallerSource, CallersSettings, NAME_BYTES_MAX};
pub(crate) use keys::KEYS;
pub use load::{CONFIG_VARIABLE, Effective, FILE_DEFAULT, Written, load};
pub use problem::{Provenance, SettingsProblem};
pub use shared_store::{Secret, SharedStoreSettings, StoreAddress, Topology};
pub use users::{Role, User};

/// The effective settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Data listener. Default `127.0.0.1:8080`; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Admin listener.
    pub admin: AdminSettings,
    /// TLS of the data listener; `None`: plain.
    pub tls: Option<TlsSettings>,
    /// Bounds of the data listener.
    pub limits: Limits,
    /// Networks whose `X-Forwarded-*` counts.
    pub trusted_proxies: Vec<Network>,
    /// Who calls.
    pub callers: CallersSettings,
    /// The shared cache's store.
    pub cache: CacheSettings,
    /// What is kept of calls, to try drafts of the policy on.
    pub recording: RecordingSettings,
    /// What several gateways share.
    pub redis: SharedStoreSettings,
    /// Draining.
    pub drain: DrainSettings,
    /// The access log.
    pub access_log: AccessLogSettings,
    /// Recent traces.
    pub traces: TracesSettings,
    /// Folder of policy files; ignored with `to`. Default `./policies`.
    pub policies: PathBuf,
    /// One catch-all route to this URL instead of a policy folder (`--to`).
    pub to: Option<String>,
    /// Folder of local state. Default `./.sumun`.
    pub state: PathBuf,
    /// Data-path threads, one runtime each. Default: one per core, 1 to 256.
    pub workers: usize,
}

/// Admin listener.
#[derive(Clone, Debug)]
pub struct AdminSettings {
    /// Default `127.0.0.1:9900`; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Whether writes through the API are refused.
    pub read_only: bool,
    /// Who may log in with a password, beside whoever has the token.
    pub users: Vec<User>,
}

/// TLS of the data listener.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// PEM file of the certificate chain.
    pub cert: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
    /// PEM file of the authorities whose client certificates are required; `None`: none is asked for.
    pub client_ca: Option<PathBuf>,
}

/// Bounds of the data listener; the defaults and reasons stand in `sumun config`.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From the first byte of a request head to its last. Default 10 s.
    pub header_time: Duration,
    /// Bytes of a request head. Default 64 KiB.
    pub header_bytes: usize,
    /// Fields of a request head. Default 128.
    pub headers: usize,
    /// Bytes of a request body. Default 1 GiB.
    pub body_bytes_max: u64,
    /// Least bytes a second of a request body, after 5 s. Default 1 KiB.
    pub body_rate_min: u64,
    /// A connection without a call, or that takes no byte of its answer. Default 60 s.
    pub idle: Duration,
    /// Connections over all workers. Default 50,000.
    pub connections: usize,
    /// Concurrent streams of one HTTP/2 connection. Default 100.
    pub h2_streams: u32,
}

/// The shared cache's store.
#[derive(Clone, Debug)]
pub struct CacheSettings {
    /// Where it is kept. Default memory; Redis where one is named.
    pub store: CacheStore,
    /// Bytes of the memory store, metadata included. Default 256 MiB.
    pub memory_bytes: u64,
}

/// What is kept of calls, to try drafts of the policy on.
#[derive(Clone, Debug)]
pub struct RecordingSettings {
    /// Memory, bytes; 0: nothing is kept. At least 64 KiB a worker are used. Default 5 MiB: 190,000
    /// calls of callers that come again, 130,000 where each is another one's, and a quarter of an hour
    /// of what the slow loops of six upstreams saw.
    pub bytes: u64,
    /// How long a call is kept. Default 15 min.
    pub keep: Duration,
}

/// Where the shared cache is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheStore {
    /// In this process.
    Memory,
    /// In Redis, with this process's memory as its first tier.
    Redis,
}

/// Draining on SIGTERM.
#[derive(Clone, Debug)]
pub struct DrainSettings {
    /// How long readiness says "no" while connections are still accepted. Default 2 s.
    pub announce: Duration,
    /// How long calls in flight may finish after that. Default 30 s.
    pub limit: Duration,
}

/// The access log.
#[derive(Clone, Debug)]
pub struct AccessLogSettings {
    /// Shape of a line.
    pub format: AccessLogFormat,
    /// Where to; `None`: standard output.
    pub to: Option<PathBuf>,
}

/// Recent traces.
#[derive(Clone, Debug, Default)]
pub struct TracesSettings {
    /// Where a trace is shown by another tool, a URL with `{trace_id}` in it; `None`: nowhere.
    pub link: Option<String>,
}

/// Shape of an access log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// One JSON object.
    Json,
    /// NCSA common log format with the duration appended.
    Common,
    /// No lines.
    Off,
}

/// An IP network, as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Any address in it.
    pub address: IpAddr,
    /// Length of the prefix, bits.
    pub prefix: u8,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        let loopback = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self {
            listen: loopback(8080),
            admin: AdminSettings { listen: loopback(9900), read_only: false, users: Vec::new() },
            tls: None,
            limits: Limits::default(),
            trusted_proxies: Vec::new(),
            callers: CallersSettings::default(),
            cache: CacheSettings { store: CacheStore::Memory, memory_bytes: 256 << 20 },
            recording: RecordingSettings { bytes: 5 << 20, keep: Duration::from_mins(15) },
            redis: SharedStoreSettings::default(),
            drain: DrainSettings {
                announce: Duration::from_secs(2),
                limit: Duration::from_secs(30),
            },
            access_log: AccessLogSettings { format: AccessLogFormat::Json, to: None },
            traces: TracesSettings::default(),
            policies: PathBuf::from("./policies"),
            to: None,
            state: PathBuf::from("./.sumun"),
            workers: std::thread::available_parallelism().map_or(1, |n| n.get().min(256)),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_time: Duration::from_secs(10),
            header_bytes: 64 << 10,
            headers: 128,
            body_bytes_max: 1 << 30,
            body_rate_min: 1 << 10,
            idle: Duration::from_mins(1),
            connections: 50_000,
            h2_streams: 100,
        }
    }
}

// === impl Network ===

impl Network {
    /// Whether `address` lies in the network. An IPv4 address that came mapped into IPv6
    /// (`::ffff:10.0.0.1`) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = |shift_max: u32| shift_max - u32::from(self.prefix).min(shift_max);
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.checked_shr(bits(32)).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.checked_shr(bits(128)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}
