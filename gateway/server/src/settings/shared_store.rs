//! Where the store that several gateways share is, and how to log in to it.
//!
//! One URL names everything that has an address: `redis://` or, with TLS, `rediss://`, a host, a port
//! and a database; `redis+cluster://` and `redis+sentinel://` take several hosts, separated by commas,
//! the latter with the name of the master as its path. What is secret has no Debug.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::values::{Wrong, wrong};

/// Port of a store that names none.
const PORT: u16 = 6379;

/// Port of a sentinel that names none.
const SENTINEL_PORT: u16 = 26379;

/// Most hosts of one URL: each is asked in turn when a connection is made.
const NODES_MAX: usize = 32;

/// Longest prefix, bytes: it stands before each key.
const PREFIX_BYTES_MAX: usize = 64;

/// The shared store; used where `cache.store` says so.
#[derive(Clone, Debug)]
pub struct SharedStoreSettings {
    /// Where it is. Default `redis://127.0.0.1:6379`.
    pub address: StoreAddress,
    /// User of its access list; `None`: its default user.
    pub user: Option<String>,
    /// Password of that user.
    pub password: Option<Secret>,
    /// PEM file of the authorities that its certificate is checked against; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// What all keys begin with. Default `sumun:`.
    pub prefix: String,
    /// How long a call waits for one operation. Default 50 ms.
    pub timeout: Duration,
}

/// What a URL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreAddress {
    /// Whether it is reached by TLS.
    pub tls: bool,
    /// What stands behind the hosts.
    pub topology: Topology,
    /// Hosts and ports, at least one.
    pub nodes: Vec<(String, u16)>,
    /// Number of the database; 0 in a cluster.
    pub database: u16,
    /// User, where the URL names one.
    pub user: Option<String>,
    /// Password, where the URL has one.
    pub password: Option<Secret>,
}

/// What stands behind the hosts of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topology {
    /// One server.
    Single,
    /// A cluster; the hosts are some of its nodes.
    Cluster,
    /// Sentinels, which know who is master.
    Sentinel {
        /// The master's name.
        master: String,
    },
}

/// A text that is neither shown nor logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

// === impl Secret ===

impl Secret {
    /// Keeps a text from being shown.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one who needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

// === impl SharedStoreSettings ===

impl Default for SharedStoreSettings {
    fn default() -> Self {
        Self {
            address: StoreAddress {
                tls: false,
                topology: Topology::Single,
                nodes: vec![("127.0.0.1".to_owned(), PORT)],
                database: 0,
                user: None,
                password: None,
            },
            user: None,
            password: None,
            ca: None,
            prefix: "sumun:".to_owned(),
            timeout: Duration::from_millis(50),
        }
    }
}

impl SharedStoreSettings {
    /// The user to log in as: the setting's own, else the URL's.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref().or(self.address.user.as_deref())
    }

    /// The password to log in with: the setting's own, else the URL's.
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref().or(self.address.password.as_ref())
    }
}

// === impl StoreAddress ===

impl StoreAddress {
    /// Reads a URL. No message quotes it: it may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return wrong("this is not a URL", HELP);
        };
        let (tls, topology) = match scheme {
            "redis" => (false, Topology::Single),
            "rediss" => (true, Topology::Single),
            "redis+cluster" => (false, Topology::Cluster),
            "rediss+cluster" => (true, Topology::Cluster),
            "redis+sentinel" => (false, Topology::Sentinel { master: String::new() }),
            "rediss+sentinel" => (true, Topology::Sentinel { master: String::new() }),
            _ => return wrong("the URL's scheme is not known", HELP),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let default_port =
            if matches!(topology, Topology::Sentinel { .. }) { SENTINEL_PORT } else { PORT };
        let nodes: Vec<_> = hosts.split(',').map(|host| node(host, default_port)).collect();
        let nodes = nodes.into_iter().collect::<Option<Vec<_>>>();
        let Some(nodes) = nodes.filter(|nodes| nodes.len() <= NODES_MAX) else {
            return wrong("the URL's hosts can't be read, or are more than 32", HELP);
        };
        if topology == Topology::Single && nodes.len() > 1 {
            return wrong(
                "the URL names several hosts",
                "write `redis+cluster://` or `redis+sentinel://`, or one host",
            );
        }
        let (topology, database) = match topology {
            Topology::Sentinel { .. } => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    let help = "write `redis+sentinel://host:26379,host:26379/NAME`";
                    return wrong("the URL does not name the master", help);
                }
                (Topology::Sentinel { master: unescape(master)? }, database)
            }
            other => (other, path),
        };
        let database = match database {
            "" => 0,
            digits => digits.parse().or_else(|_| {
                wrong("the URL's database is not a number", "write 0 to 65535 after the slash")
            })?,
        };
        if topology == Topology::Cluster && database != 0 {
            return wrong("a cluster has only database 0", "leave the number out");
        }
        let some = |text: &str| (!text.is_empty()).then(|| unescape(text)).transpose();
        let (user, password) = (some(user)?, some(password)?.map(Secret));
        Ok(Self { tls, topology, nodes, database, user, password })
    }

    /// As a URL, the password as `***`.
    pub(super) fn show(&self) -> String {
        fmt::format(format_args!("{self}"))
    }
}

const HELP: &str = "write `redis://host:6379`, `rediss://` for TLS, `redis+cluster://host,host` or \
                    `redis+sentinel://host,host/NAME`";

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "rediss" } else { "redis" })?;
        f.write_str(match self.topology {
            Topology::Single => "://",
            Topology::Cluster => "+cluster://",
            Topology::Sentinel { .. } => "+sentinel://",
        })?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
        }
        if self.password.is_some() {
            f.write_str(":***")?;
        }
        if self.user.is_some() || self.password.is_some() {
            f.write_str("@")?;
        }
        for (at, (host, port)) in self.nodes.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            if host.contains(':') {
                write!(f, "{comma}[{host}]:{port}")?;
            } else {
                write!(f, "{comma}{host}:{port}")?;
            }
        }
        if let Topology::Sentinel { master } = &self.topology {
            write!(f, "/{master}")?;
        }
        if self.database != 0 {
            write!(f, "/{}", self.database)?;
        }
        Ok(())
    }
}

/// `host`, `host:port`, `[v6]:port`.
fn node(text: &str, default_port: u16) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_:".contains(&b);
    if host.is_empty() || !host.bytes().all(plain) {
        return None;
    }
    let port = port.map_or(Some(default_port), |port| port.parse().ok().filter(|&port| port != 0));
    Some((host.to_owned(), port?))
}

/// Percent-decoding (RFC 3986 §2.1).
fn unescape(text: &str) -> Result<String, Wrong> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = rest.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let value = digits
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        let Some(value) = value else {
            return wrong(
                "a `%` in the URL is not followed by two hex digits",
                "write it as `%25`",
            );
        };
        bytes.push(value);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).or_else(|_| wrong("the URL's login is not UTF-8", "write UTF-8"))
}

pub(super) fn prefix(text: &str) -> Result<String, Wrong> {
    // Braces say where a cluster keeps a key; ours stand after the prefix.
    let plain = |b: u8| b.is_ascii_graphic() && !b"{}*?[]\\".contains(&b);
    if text.is_empty() || text.len() > PREFIX_BYTES_MAX || !text.bytes().all(plain) {
        return wrong(
            "this can't begin a key",
            format!("write 1 to {PREFIX_BYTES_MAX} printable characters without {{}}*?[]\\"),
        );
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
