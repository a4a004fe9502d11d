//! Every setting, once: its key, flag, variable, bounds, default's reason.
//!
//! The flag parser, the loader and `sumun config` all walk [`KEYS`]. A default stands in
//! [`Settings::default`], typed; here stands why it is what it is.

mod limits;
mod traces;

use std::path::PathBuf;
use std::time::Duration;

use sumun_policy::units::{show_bytes, show_duration};

use super::callers::{CallerSource, believe, names, show_names, sources};
use super::shared_store::{self, StoreAddress};
use super::users::users;
use super::values::{
    Wrong, address, admin_address, boolean, bytes, cache_store, count, duration, log_format,
    networks, path, upstream_url, wrong,
};
use super::{AccessLogFormat, CacheStore, Network, Secret, Settings, User};

/// Settings under way: parts that only make sense together are kept apart until all are known.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub settings: Settings,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub tls_client_ca: Option<PathBuf>,
    pub cache_store: Option<CacheStore>,
    pub names_redis: bool,
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
pub(super) const PRIVATE: &[&str] = &["admin.users", "redis.url", "redis.password"];

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
    limits::HEADER_TIME,
    limits::HEADER_BYTES,
    limits::HEADERS,
    limits::MAX_BODY,
    limits::BODY_RATE,
    limits::IDLE,
    limits::CONNECTIONS,
    limits::H2_STREAMS,
    Key {
        path: "trusted_proxies",
        flag: "trusted-proxies",
        value: "NETWORKS",
        about: "Networks whose X-Forwarded-* headers count, and their word on who calls",
        reason: "anyone can write such a header",
        list: true,
        set: |d, text| put(&mut d.settings.trusted_proxies, networks(text)),
        show: |s| {
            Some(s.trusted_proxies.iter().map(Network::to_string).collect::<Vec<_>>().join(", "))
        },
    },
    Key {
        path: "callers.by",
        flag: "callers-by",
        value: "SOURCES",
        about: "Where a caller's identity is read, the first that gives one wins: header:NAME, \
                mtls:subject, mtls:san, jwt:CLAIM, api_key:HEADER, peer:address",
        reason: "the only identity that is proven without anything else being said",
        list: true,
        set: |d, text| put(&mut d.settings.callers.by, sources(text)),
        show: |s| {
            let by = s.callers.by.iter().map(CallerSource::to_string);
            Some(by.collect::<Vec<_>>().join(", "))
        },
    },
    Key {
        path: "callers.believe",
        flag: "callers-believe",
        value: "WHOM",
        about: "Whose unverified claims count (headers, tokens and API keys without the key \
                files below): trusted_proxies or anyone",
        reason: "anyone can write a header; even with anyone, a claim never raises a class",
        list: false,
        set: |d, text| put(&mut d.settings.callers.believe, believe(text)),
        show: |s| Some(s.callers.believe.as_str().to_owned()),
    },
    Key {
        path: "callers.max",
        flag: "callers-max",
        value: "N",
        about: "Callers remembered of each route with `per: caller`",
        reason: "more than most meshes have services, and less than a megabyte a route",
        list: false,
        set: |d, text| {
            let most = count(text, 1, 1_000_000).map(|n| n as usize);
            put(&mut d.settings.callers.callers_max, most)
        },
        show: |s| Some(s.callers.callers_max.to_string()),
    },
    Key {
        path: "callers.may_raise",
        flag: "callers-may-raise",
        value: "NAMES",
        about: "Callers whose Sumun-Class header may raise the class of a call",
        reason: "the route says how much a call may be shed; anybody may say less, nobody more",
        list: true,
        set: |d, text| put(&mut d.settings.callers.may_raise, names(text)),
        show: |s| Some(show_names(&s.callers.may_raise)),
    },
    Key {
        path: "callers.jwt_keys",
        flag: "callers-jwt-keys",
        value: "FILE",
        about: "JWKS file of the keys that sign bearer tokens (HS, RS, PS, ES and EdDSA); read again when it changes",
        reason: "without keys a token is only a claim",
        list: false,
        set: |d, text| put(&mut d.settings.callers.jwt_keys, path(text).map(Some)),
        show: |s| Some(s.callers.jwt_keys.as_ref()?.display().to_string()),
    },
    Key {
        path: "callers.api_keys",
        flag: "callers-api-keys",
        value: "FILE",
        about: "File of the known API keys, a line each: NAME KEY, or NAME sha256:HEX; read again when it changes",
        reason: "without it any API key is a caller, without a name",
        list: false,
        set: |d, text| put(&mut d.settings.callers.api_keys, path(text).map(Some)),
        show: |s| Some(s.callers.api_keys.as_ref()?.display().to_string()),
    },
    Key {
        path: "cache.store",
        flag: "cache-store",
        value: "STORE",
        about: "Where the shared cache is kept: memory, or redis with memory as its first tier",
        reason: "nothing else is needed for one gateway; redis where redis.url is set",
        list: false,
        set: |d, text| put(&mut d.cache_store, cache_store(text).map(Some)),
        show: |s| {
            Some(
                match s.cache.store {
                    CacheStore::Memory => "memory",
                    CacheStore::Redis => "redis",
                }
                .to_owned(),
            )
        },
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
        path: "recording.bytes",
        flag: "recording-bytes",
        value: "BYTES",
        about: "Memory for recorded calls, on which a draft of the policy is tried; 0B: none",
        reason: "at least 130,000 calls: two minutes at 1,000 a second, a quarter of an hour at 145",
        list: false,
        set: |d, text| put(&mut d.settings.recording.bytes, bytes(text, 0, GIB)),
        show: |s| Some(show_bytes(s.recording.bytes)),
    },
    Key {
        path: "recording.keep",
        flag: "recording-keep",
        value: "DURATION",
        about: "How long a recorded call is kept, where the memory suffices",
        reason: "long enough to hold a peak, short enough to be about today's traffic",
        list: false,
        set: |d, text| put(&mut d.settings.recording.keep, duration(text, SECOND, HOUR)),
        show: |s| Some(show_duration(s.recording.keep)),
    },
    Key {
        path: "redis.url",
        flag: "redis",
        value: "URL",
        about: "Redis that several gateways share: redis://, rediss:// (TLS), redis+cluster://, \
                redis+sentinel://",
        reason: "where Redis listens when nobody says otherwise; not asked unless cache.store is redis",
        list: false,
        set: |d, text| {
            d.names_redis = true;
            put(&mut d.settings.redis.address, StoreAddress::parse(text))
        },
        show: |s| Some(s.redis.address.show()),
    },
    Key {
        path: "redis.user",
        flag: "redis-user",
        value: "NAME",
        about: "User of Redis' access list",
        reason: "Redis' default user",
        list: false,
        set: |d, text| put(&mut d.settings.redis.user, not_empty(text).map(Some)),
        show: |s| s.redis.user.clone(),
    },
    Key {
        path: "redis.password",
        flag: "redis-password",
        value: "SECRET",
        about: "Password for Redis; best as ${file:/path}, since others may see a flag",
        reason: "a Redis on the loopback address mostly has none",
        list: false,
        set: |d, text| {
            put(&mut d.settings.redis.password, not_empty(text).map(|text| Some(Secret::new(text))))
        },
        show: |s| s.redis.password.as_ref().map(|_| "***".to_owned()),
    },
    Key {
        path: "redis.ca",
        flag: "redis-ca",
        value: "FILE",
        about: "PEM authorities that Redis' certificate is checked against",
        reason: "the system's authorities",
        list: false,
        set: |d, text| put(&mut d.settings.redis.ca, path(text).map(Some)),
        show: |s| Some(s.redis.ca.as_ref()?.display().to_string()),
    },
    Key {
        path: "redis.prefix",
        flag: "redis-prefix",
        value: "TEXT",
        about: "What all keys in Redis begin with; gateways that share it share their cache",
        reason: "tells our keys from others'",
        list: false,
        set: |d, text| put(&mut d.settings.redis.prefix, shared_store::prefix(text)),
        show: |s| Some(s.redis.prefix.clone()),
    },
    Key {
        path: "redis.timeout",
        flag: "redis-timeout",
        value: "DURATION",
        about: "Longest that a call waits for one operation of Redis",
        reason: "a hundred times what a healthy one takes; a hung one costs a few calls that much",
        list: false,
        set: |d, text| {
            let bounds = (Duration::from_millis(1), 5 * SECOND);
            put(&mut d.settings.redis.timeout, duration(text, bounds.0, bounds.1))
        },
        show: |s| Some(show_duration(s.redis.timeout)),
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
    traces::LINK,
];

fn not_empty(text: &str) -> Result<String, Wrong> {
    if text.is_empty() {
        wrong("this is empty", "write a text, or leave the key out")
    } else {
        Ok(text.to_owned())
    }
}

fn put<T>(place: &mut T, value: Result<T, Wrong>) -> Result<(), Wrong> {
    *place = value?;
    Ok(())
}
