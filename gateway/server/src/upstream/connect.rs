//! A new connection to an endpoint: resolve, check, connect, shake hands.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use sumun_policy::policy::{Endpoint, Protocol};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::listen::transport::Transport;

/// Why an endpoint could not be connected to. Nothing of the request has been written.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name has no address, or only refused ones.
    #[error("no usable address for {0}")]
    Address(String),
    /// TCP.
    #[error("can't connect to {address}")]
    Tcp {
        /// The address tried last.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// TLS.
    #[error("TLS handshake failed")]
    Tls(#[source] io::Error),
    /// HTTP/2 was asked for and not negotiated, or the handshake failed.
    #[error("HTTP handshake failed")]
    Http(#[source] hyper::Error),
    /// ALPN did not yield the protocol that the policy asks for.
    #[error("the endpoint does not speak HTTP/2 (ALPN)")]
    Alpn,
    /// It took longer than `timeout.connect`.
    #[error("connecting took longer than timeout.connect")]
    Timeout,
}

/// TLS towards upstreams: the system's authorities, TLS 1.2 and 1.3.
pub fn tls_connector() -> Result<TlsConnector, rustls::Error> {
    use rustls_platform_verifier::ConfigVerifierExt as _;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    // Another part of the process may have installed the same provider first: that is fine.
    let _ = provider.install_default();
    rustls::ClientConfig::with_platform_verifier()
        .map(|config| TlsConnector::from(Arc::new(config)))
}

/// Connects; returns the transport and whether HTTP/2 is spoken on it.
pub async fn connect(
    endpoint: &Endpoint,
    protocol: Protocol,
    connector: &TlsConnector,
    own: &[SocketAddr],
) -> Result<(Transport, bool), ConnectError> {
    let stream = connect_tcp(endpoint, own).await?;
    // Small requests go out at once; hyper batches head and body itself.
    let _ = stream.set_nodelay(true);
    if !endpoint.tls {
        return Ok((Transport::Plain(stream), protocol == Protocol::Http2));
    }
    let name = ServerName::try_from(endpoint.host.to_string())
        .map_err(|_| ConnectError::Address(endpoint.host.to_string()))?;
    let alpn: &[&[u8]] = match protocol {
        Protocol::Auto => &[b"h2", b"http/1.1"],
        Protocol::Http1 => &[b"http/1.1"],
        Protocol::Http2 => &[b"h2"],
    };
    let mut config = connector.config().as_ref().clone();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, stream).await.map_err(ConnectError::Tls)?;
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    if protocol == Protocol::Http2 && !h2 {
        return Err(ConnectError::Alpn);
    }
    Ok((Transport::Tls(Box::new(stream.into())), h2))
}

async fn connect_tcp(endpoint: &Endpoint, own: &[SocketAddr]) -> Result<TcpStream, ConnectError> {
    let mut failed = ConnectError::Address(endpoint.to_string());
    for address in resolve(endpoint).await? {
        if is_forbidden(&address, own) {
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(source) => failed = ConnectError::Tcp { address, source },
        }
    }
    Err(failed)
}

async fn resolve(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, ConnectError> {
    if let Ok(ip) = endpoint.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, endpoint.port)]);
    }
    let found = tokio::net::lookup_host((endpoint.host.as_ref(), endpoint.port)).await;
    found.map(Iterator::collect).map_err(|_| ConnectError::Address(endpoint.to_string()))
}

/// Link-local addresses (cloud metadata services) and the gateway's own listeners, checked on the
/// resolved address so that no name leads there.
fn is_forbidden(address: &SocketAddr, own: &[SocketAddr]) -> bool {
    let link_local = match address.ip().to_canonical() {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast() || ip.is_multicast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.is_multicast(),
    };
    link_local || own.iter().any(|own| is_same(own, address))
}

/// Whether a connection to `address` arrives at the listener `own`: the unspecified address stands
/// for all of this machine's on a listener, and for loopback on a connection.
fn is_same(own: &SocketAddr, address: &SocketAddr) -> bool {
    let (listener, target) = (own.ip().to_canonical(), address.ip().to_canonical());
    let is_local = target.is_loopback() || target.is_unspecified();
    own.port() == address.port()
        && (listener == target
            || (listener.is_unspecified() && is_local)
            || (listener.is_loopback() && target.is_unspecified()))
}

#[cfg(test)]
mod tests;
