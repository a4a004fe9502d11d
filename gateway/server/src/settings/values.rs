//! Values of settings: from text to what it means, within its bounds.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use sumun_policy::policy::Endpoint;
use sumun_policy::units::{parse_bytes, parse_duration, show_bytes, show_duration};

use super::{AccessLogFormat, CacheStore, Network};

/// Why a value can't be taken.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wrong {
    /// What is wrong; may quote the value.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

pub(super) fn wrong<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { message: message.into(), help: help.into() })
}

pub(super) fn address(text: &str) -> Result<SocketAddr, Wrong> {
    let named = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    named.as_deref().unwrap_or(text).parse().or_else(|_| {
        wrong(
            format!("`{text}` is not an address"),
            "write an IP address and a port, for example `127.0.0.1:8080` or `[::1]:8080`",
        )
    })
}

pub(super) fn admin_address(text: &str) -> Result<SocketAddr, Wrong> {
    let address = address(text)?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    wrong(
        "admin.listen must be a loopback address until admin TLS is supported",
        format!("write `127.0.0.1:{}` and reach it through a tunnel", address.port()),
    )
}

pub(super) fn boolean(text: &str) -> Result<bool, Wrong> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => wrong(format!("`{text}` is neither true nor false"), "write `true` or `false`"),
    }
}

pub(super) fn path(text: &str) -> Result<PathBuf, Wrong> {
    if text.is_empty() || text.contains('\0') {
        return wrong("a path is empty or holds a NUL", "write a path");
    }
    Ok(PathBuf::from(text))
}

pub(super) fn upstream_url(text: &str) -> Result<String, Wrong> {
    let help = "write scheme, host and port only, for example `http://127.0.0.1:8081`";
    let Ok(url) = text.parse::<http::Uri>() else {
        return wrong(format!("`{text}` is not a URL"), help);
    };
    let scheme_known = matches!(url.scheme_str(), Some("http" | "https"));
    let plain = url.authority().is_some_and(|a| !a.as_str().contains('@') && !a.host().is_empty());
    if !scheme_known || !plain || url.path() != "/" || url.query().is_some() {
        return wrong(format!("`{text}` is not the URL of a service"), help);
    }
    let endpoint = text.trim_end_matches('/');
    match Endpoint::parse(endpoint) {
        Ok(_) => Ok(endpoint.to_owned()),
        Err(error) => wrong(error.message, error.help),
    }
}

pub(super) fn count(text: &str, least: u64, most: u64) -> Result<u64, Wrong> {
    match text.parse::<u64>() {
        Ok(n) if (least..=most).contains(&n) => Ok(n),
        Ok(_) => wrong(format!("`{text}` is out of range"), format!("write {least} to {most}")),
        Err(_) => wrong(
            format!("`{text}` is not a whole number"),
            format!("write a number from {least} to {most}"),
        ),
    }
}

pub(super) fn duration(text: &str, least: Duration, most: Duration) -> Result<Duration, Wrong> {
    let range = || format!("write {} to {}", show_duration(least), show_duration(most));
    let value = parse_duration(text).map_err(|e| Wrong { message: e.message, help: e.help })?;
    if value < least || value > most {
        return wrong(format!("`{text}` is out of range"), range());
    }
    Ok(value)
}

pub(super) fn bytes(text: &str, least: u64, most: u64) -> Result<u64, Wrong> {
    let range = || format!("write {} to {}", show_bytes(least), show_bytes(most));
    let value = parse_bytes(text).map_err(|e| Wrong { message: e.message, help: e.help })?;
    if value < least || value > most {
        return wrong(format!("`{text}` is out of range"), range());
    }
    Ok(value)
}

/// Most trusted networks: a call's peer is compared with each.
const NETWORKS_MAX: usize = 64;

pub(super) fn networks(text: &str) -> Result<Vec<Network>, Wrong> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let networks: Vec<Network> = items.map(network).collect::<Result<_, _>>()?;
    if networks.len() > NETWORKS_MAX {
        return wrong(
            format!("{} networks are too many", networks.len()),
            format!("write at most {NETWORKS_MAX}; join neighbours to one prefix"),
        );
    }
    Ok(networks)
}

fn network(text: &str) -> Result<Network, Wrong> {
    let fail = || Wrong {
        message: format!("`{text}` is not a network"),
        help: "write an address or a prefix, for example `10.0.0.0/8`".to_owned(),
    };
    let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
    let address: std::net::IpAddr = address.parse().map_err(|_| fail())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let prefix = if text.contains('/') { prefix.parse().map_err(|_| fail())? } else { most };
    if prefix > most {
        return wrong(
            format!("`{text}` has a prefix longer than its address"),
            format!("write 0 to {most} after the slash"),
        );
    }
    Ok(Network { address, prefix })
}

pub(super) fn cache_store(text: &str) -> Result<CacheStore, Wrong> {
    match text {
        "memory" => Ok(CacheStore::Memory),
        "redis" => Ok(CacheStore::Redis),
        _ => wrong(format!("`{text}` is not a store"), "write `memory` or `redis`"),
    }
}

pub(super) fn log_format(text: &str) -> Result<AccessLogFormat, Wrong> {
    match text {
        "json" => Ok(AccessLogFormat::Json),
        "common" => Ok(AccessLogFormat::Common),
        "off" => Ok(AccessLogFormat::Off),
        _ => wrong(format!("`{text}` is not a log format"), "write `json`, `common` or `off`"),
    }
}
