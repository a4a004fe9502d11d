//! Every setting, once: its key, flag, variable, bounds, default's reason.
//!
//! The flag parser, the loader and `sumun config` all walk [`KEYS`]. A default stands in
//! [`Settings::default`], typed; here stands why it is what it is.

use std::path::PathBuf;
use std::time::Duration;

use sumun_policy::units::{show_bytes, show_duration};

use super::users::users;
use super::values::{
    Wrong, address, admin_address, boolean, bytes, cache_store, count, duration, log_format,
    networks, path, upstream_url, wrong,
};
use super::{AccessLogFormat, Network, Settings, User};

/// Settings under way: parts that only make sense together are kept apart until all are known.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub settings: Settings,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub tls_client_ca: Option<PathBuf>,
}

/// One setting.
pub(crate) struct Key {
    /// Key in `sumun.yaml`, dots between the levels.
    pub path: &'static str,
    /// Flag, without its dashes.
    pub flag: &'static str,
    /// What the flag's value is called in the help.
    pub value: &'static str,
    /// What it does, one line.
    pub about: &'static str,
    /// Why the default is what it is.
    pub reason: &'static str,
    /// Whether it is a list (in flags and variables: separated by commas).
    pub list: bool,
    pub(super) set: fn(&mut Draft, &str) -> Result<(), Wrong>,
    pub(super) show: fn(&Settings) -> Option<String>,
}

impl Key {
    /// The environment variable: `limits.max_body` is `SUMUN_LIMITS_MAX_BODY`.
    pub(crate) fn variable(&self) -> String {
        format!("SUMUN_{}", self.path.replace('.', "_").to_uppercase())
    }

    /// The variable that is named as the flag: `--admin` is `SUMUN_ADMIN`. Mostly the same.
    pub(crate) fn variable_of_flag(&self) -> String {
        format!("SUMUN_{}", self.flag.replace('-', "_").to_uppercase())
    }
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Settings whose text may hold a secret: it is quoted nowhere.
pub(super) const PRIVATE: &[&str] = &["admin.users"];

/// Every setting, in the order in which `sumun config` prints them.
pub(crate) const KEYS: &[Key] = &[
    Key {
        path: "listen",
        flag: "listen",
        value: "ADDR",
        about: "Address of the data listener; port 0 picks a free one",
        reason: "only this machine can call until you say otherwise",
        list: false,
        set: |d, text| put(&mut d.settings.listen, address(text)),
        show: |s| Some(s.listen.to_string()),
    },
    Key {
        path: "admin.listen",
        flag: "admin",
        value: "ADDR",
        about: "Address of the admin listener",
        reason: "only this machine can administer",
        list: false,
        set: |d, text| put(&mut d.settings.admin.listen, admin_address(text)),
        show: |s| Some(s.admin.listen.to_string()),
    },
    Key {
        path: "admin.read_only",
        flag: "read-only",
        value: "BOOL",
        about: "Refuse every change through the admin API",
        reason: "the UI and API may edit policies unless they are managed elsewhere",
        list: false,
        set: |d, text| put(&mut d.settings.admin.read_only, boolean(text)),
        show: |s| Some(s.admin.read_only.to_string()),
    },
    Key {
        path: "admin.users",
        flag: "admin-users",
        value: "USERS",
        about: "Who may log in with a password: name:role:hash, role viewer, editor or admin",
        reason: "the token is enough for one; `sumun hash-password` makes a hash",
        list: true,
        set: |d, text| put(&mut d.settings.admin.users, users(text)),
        show: |s| Some(s.admin.users.iter().map(User::to_string).collect::<Vec<_>>().join(", ")),
    },
    Key {
        path: "to",
        flag: "to",
        value: "URL",
        about: "Forward everything to this URL; no policy folder is read",
        reason: "the policy folder says where calls go",
        list: false,
        set: |d, text| put(&mut d.settings.to, upstream_url(text).map(Some)),
        show: |s| s.to.clone(),
    },
    Key {
        path: "policies",
        flag: "policies",
        value: "DIR",
        about: "Folder of policy files",
        reason: "beside where the gateway is started",
        list: false,
        set: |d, text| put(&mut d.settings.policies, path(text)),
        show: |s| Some(s.policies.display().to_string()),
    },
    Key {
        path: "state",
        flag: "state",
        value: "DIR",
        about: "Folder of local state: the admin token, earlier policies, the audit log",
        reason: "beside where the gateway is started; hidden, because it holds a secret",
        list: false,
        set: |d, text| put(&mut d.settings.state, path(text)),
        show: |s| Some(s.state.display().to_string()),
    },
    Key {
        path: "workers",
        flag: "workers",
        value: "N",
        about: "Data-path threads",
        reason: "one per core: they never wait for one another",
        list: false,
        set: |d, text| put(&mut d.settings.workers, count(text, 1, 256).map(|n| n as usize)),
        show: |s| Some(s.workers.to_string()),
    },
    Key {
        path: "tls.cert",
        flag: "tls-cert",
        value: "FILE",
        about: "PEM certificate chain of the data listener",
        reason: "plain text on the loopback address",
        list: false,
        set: |d, text| put(&mut d.tls_cert, path(text).map(Some)),
        show: |s| Some(s.tls.as_ref()?.cert.display().to_string()),
    },
    Key {
        path: "tls.key",
        flag: "tls-key",
        value: "FILE",
        about: "PEM private key of the data listener",
        reason: "goes with tls.cert",
        list: false,
        set: |d, text| put(&mut d.tls_key, path(text).map(Some)),
        show: |s| Some(s.tls.as_ref()?.key.display().to_string()),
    },
    Key {
        path: "tls.client_ca",
        flag: "tls-client-ca",
        value: "FILE",
        about: "PEM authorities whose client certificates are required",
        reason: "no client certificate is asked for",
        list: false,
        set: |d, text| put(&mut d.tls_client_ca, path(text).map(Some)),
        show: |s| Some(s.tls.as_ref()?.client_ca.as_ref()?.display().to_string()),
    },
    Key {
        path: "limits.header_time",
        flag: "limits-header-time",
        value: "DURATION",
        about: "Longest time from the first byte of a request head to its last",
        reason: "a slow network needs a second; who needs longer holds a connection on purpose",
        list: false,
        set: |d, text| {
            put(&mut d.settings.limits.header_time, duration(text, SECOND / 10, 5 * 60 * SECOND))
        },
        show: |s| Some(show_duration(s.limits.header_time)),
    },
    Key {
        path: "limits.header_bytes",
        flag: "limits-header-bytes",
        value: "BYTES",
        about: "Largest request head",
        reason: "what Tomcat and nginx take with large cookies, and room; bounds the read buffer",
        list: false,
        set: |d, text| {
            let size = bytes(text, 8 << 10, MIB).map(|n| n as usize);
            put(&mut d.settings.limits.header_bytes, size)
        },
        show: |s| Some(show_bytes(s.limits.header_bytes as u64)),
    },
    Key {
        path: "limits.headers",
        flag: "limits-headers",
        value: "N",
        about: "Most fields of a request head",
        reason: "browsers send 20, meshes 60",
        list: false,
        set: |d, text| {
            put(&mut d.settings.limits.headers, count(text, 16, 1024).map(|n| n as usize))
        },
        show: |s| Some(s.limits.headers.to_string()),
    },
    Key {
        path: "limits.max_body",
        flag: "limits-max-body",
        value: "BYTES",
        about: "Largest request body",
        reason: "bodies are streamed, so this only stops what never ends",
        list: false,
        set: |d, text| put(&mut d.settings.limits.body_bytes_max, bytes(text, 1, 1024 * GIB)),
        show: |s| Some(show_bytes(s.limits.body_bytes_max)),
    },
    Key {
        path: "limits.body_rate",
        flag: "limits-body-rate",
        value: "BYTES",
        about: "Least bytes a second of a request body, after 5 s; 0B: any",
        reason: "slower than any modem: such a body only holds an upstream's thread",
        list: false,
        set: |d, text| put(&mut d.settings.limits.body_rate_min, bytes(text, 0, GIB)),
        show: |s| Some(show_bytes(s.limits.body_rate_min)),
    },
    Key {
        path: "limits.idle",
        flag: "limits-idle",
        value: "DURATION",
        about: "Longest time of a connection without a call, or without taking a byte",
        reason: "longer than the pause between a person's clicks",
        list: false,
        set: |d, text| put(&mut d.settings.limits.idle, duration(text, SECOND, HOUR)),
        show: |s| Some(show_duration(s.limits.idle)),
    },
    Key {
        path: "limits.connections",
        flag: "limits-connections",
        value: "N",
        about: "Most connections over all workers",
        reason: "1 GiB at 20 KiB for an idle one",
        list: false,
        set: |d, text| {
            let most = count(text, 1, 1_000_000).map(|n| n as usize);
            put(&mut d.settings.limits.connections, most)
        },
        show: |s| Some(s.limits.connections.to_string()),
    },
    Key {
        path: "limits.h2_streams",
        flag: "limits-h2-streams",
        value: "N",
        about: "Most concurrent streams of one HTTP/2 connection",
        reason: "the least that RFC 9113 section 6.5.2 recommends",
        list: false,
        set: |d, text| {
            let most = count(text, 1, 1000).map(|n| n as u32);
            put(&mut d.settings.limits.h2_streams, most)
        },
        show: |s| Some(s.limits.h2_streams.to_string()),
    },
    Key {
        path: "trusted_proxies",
        flag: "trusted-proxies",
        value: "NETWORKS",
        about: "Networks whose X-Forwarded-* and Forwarded headers count",
        reason: "anyone can write such a header",
        list: true,
        set: |d, text| put(&mut d.settings.trusted_proxies, networks(text)),
        show: |s| {
            Some(s.trusted_proxies.iter().map(Network::to_string).collect::<Vec<_>>().join(", "))
        },
    },
    Key {
        path: "cache.store",
        flag: "cache-store",
        value: "STORE",
        about: "Where the shared cache is kept: memory",
        reason: "nothing else is needed for one gateway",
        list: false,
        set: |_, text| cache_store(text),
        show: |_| Some("memory".to_owned()),
    },
    Key {
        path: "cache.memory",
        flag: "cache-memory",
        value: "BYTES",
        about: "Size of the memory cache, metadata included",
        reason: "a small container's quarter; answers of internal services are small",
        list: false,
        set: |d, text| put(&mut d.settings.cache.memory_bytes, bytes(text, MIB, 1024 * GIB)),
        show: |s| Some(show_bytes(s.cache.memory_bytes)),
    },
    Key {
        path: "redis.url",
        flag: "redis",
        value: "URL",
        about: "Redis for what several gateways share (not yet supported)",
        reason: "nothing is shared between gateways",
        list: false,
        set: |_, _| wrong("redis is not yet supported", "remove it; everything is kept in memory"),
        show: |_| None,
    },
    Key {
        path: "drain.announce",
        flag: "drain-announce",
        value: "DURATION",
        about: "How long readiness says no on SIGTERM while calls are still accepted",
        reason: "two probes of a load balancer that asks every second",
        list: false,
        set: |d, text| {
            put(&mut d.settings.drain.announce, duration(text, Duration::ZERO, 300 * SECOND))
        },
        show: |s| Some(show_duration(s.drain.announce)),
    },
    Key {
        path: "drain.limit",
        flag: "drain-limit",
        value: "DURATION",
        about: "How long calls in flight may finish after that",
        reason: "the default response timeout, so that no call is cut that could have ended",
        list: false,
        set: |d, text| put(&mut d.settings.drain.limit, duration(text, Duration::ZERO, HOUR)),
        show: |s| Some(show_duration(s.drain.limit)),
    },
    Key {
        path: "access_log.format",
        flag: "access-log-format",
        value: "FORMAT",
        about: "Shape of an access log line: json, common or off",
        reason: "log pipelines read it as it is",
        list: false,
        set: |d, text| put(&mut d.settings.access_log.format, log_format(text)),
        show: |s| {
            Some(
                match s.access_log.format {
                    AccessLogFormat::Json => "json",
                    AccessLogFormat::Common => "common",
                    AccessLogFormat::Off => "off",
                }
                .to_owned(),
            )
        },
    },
    Key {
        path: "access_log.to",
        flag: "access-log-to",
        value: "FILE",
        about: "File that access log lines are appended to, or stdout",
        reason: "containers collect standard output",
        list: false,
        set: |d, text| {
            let file = if text == "stdout" { Ok(None) } else { path(text).map(Some) };
            put(&mut d.settings.access_log.to, file)
        },
        show: |s| {
            let to = s.access_log.to.as_ref();
            Some(to.map_or("stdout".to_owned(), |path| path.display().to_string()))
        },
    },
];

fn put<T>(place: &mut T, value: Result<T, Wrong>) -> Result<(), Wrong> {
    *place = value?;
    Ok(())
}
