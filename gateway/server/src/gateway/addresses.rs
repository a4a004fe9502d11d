//! Where the gateway listens, told to people and to tools.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use anyhow::Context as _;

use crate::files::{self, Access};

/// In the state folder.
const FILE: &str = "addresses.json";

/// The addresses of both listeners, with the ports they really got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Data.
    pub listen: SocketAddr,
    /// Admin.
    pub admin: SocketAddr,
}

impl Addresses {
    /// What no upstream may resolve to. A wildcard address is every loopback address too.
    pub fn own(&self) -> Vec<SocketAddr> {
        let mut own = Vec::new();
        for address in [self.listen, self.admin] {
            if address.ip().is_unspecified() {
                let loopbacks =
                    [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
                own.extend(loopbacks.map(|ip| SocketAddr::new(ip, address.port())));
            }
            own.push(address);
        }
        own
    }

    /// Writes `STATE/addresses.json`, whole or not at all: tools wait for it.
    pub fn write(&self, state: &Path) -> anyhow::Result<()> {
        let text = serde_json::json!({ "listen": self.listen, "admin": self.admin }).to_string();
        files::make_folder(state)
            .and_then(|()| files::replace(state, FILE, text.as_bytes(), Access::AsBefore))
            .with_context(|| {
                format!("can't write {FILE} into {} (setting `state`)", state.display())
            })
    }

    /// Prints them, and the login link where a token was made just now.
    pub fn announce(&self, tls: bool, login: Option<&str>) {
        let scheme = if tls { "https" } else { "http" };
        let mut out = std::io::stdout().lock();
        // A closed standard output is no reason not to serve.
        let _ =
            writeln!(out, "listening {scheme}://{}\nadmin     http://{}", self.listen, self.admin);
        if let Some(login) = login {
            let _ = writeln!(out, "login     {login}");
        }
        let _ = out.flush();
    }
}

#[cfg(test)]
mod tests;
