//! The bundled demo: small services to stand behind the gateway, and a changing load through it.
//!
//! Begins with [`Demo::start`] (`sumun demo`: services and load) or [`Demo::services_only`]
//! (`sumun demo-service`: services for a gateway in another process) and ends with [`Demo::stop`]
//! or when the [`Demo`] is dropped. All of it runs on one thread with a runtime of its own, so it
//! never shares a run queue with the data path.
//!
//! Bounds: each service takes [`serve::CONNECTIONS_MAX`] connections; the load keeps at most
//! [`load::CALLERS_MAX`] calls in flight, one per simulated caller; what a caller puts off while it
//! obeys a `Retry-After` is capped ([`load::BACKLOG_MAX`]).

mod actuator;
mod caller;
mod catalog;
mod functions;
mod load;
mod mailbox;
mod serve;
mod tally;
mod wave;
mod workers;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio_util::sync::CancellationToken;

use self::catalog::Catalog;
use self::functions::Functions;
use self::mailbox::Mailbox;

/// Seed of everything the demo draws: two runs differ only by what the gateway decides.
const SEED: u64 = 0x5eed_6a7e;

/// Where the demo services listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoAddresses {
    /// The two instances of the mailbox, a Tomcat-like service with 20 worker threads each.
    pub mailbox: [SocketAddr; 2],
    /// The catalog, whose answers may be cached.
    pub catalog: SocketAddr,
    /// The function runtime.
    pub functions: SocketAddr,
}

impl DemoAddresses {
    /// First of the four ports that the example policies name.
    pub const PORT_FIRST: u16 = 9101;

    /// The ports of the example policies (9101 to 9104) on this address.
    pub fn on(ip: IpAddr) -> Self {
        let at = |offset| SocketAddr::new(ip, Self::PORT_FIRST + offset);
        Self { mailbox: [at(0), at(1)], catalog: at(2), functions: at(3) }
    }
}

impl Default for DemoAddresses {
    /// The ports of the example policies on 127.0.0.1.
    fn default() -> Self {
        Self::on(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }
}

/// Why the demo could not start.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Another process listens there.
    #[error(
        "port {} is taken: the demo service `{service}` listens on {address}, where the example \
         policies look for it; end what runs there (another `sumun demo`?)",
        address.port()
    )]
    PortTaken {
        /// The demo service.
        service: &'static str,
        /// Its address.
        address: SocketAddr,
    },
    /// The address cannot be listened on for another reason.
    #[error("the demo service `{service}` cannot listen on {address}")]
    Listen {
        /// The demo service.
        service: &'static str,
        /// Its address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The demo's thread or runtime cannot be made.
    #[error("the demo cannot start its thread")]
    Thread(#[source] io::Error),
}

/// A running demo. Dropping it ends it.
#[derive(Debug)]
pub struct Demo {
    addresses: DemoAddresses,
    quiet: CancellationToken,
    ended: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

// === impl Demo ===

impl Demo {
    /// Starts the demo services on `listen` and a changing load through the gateway at `gateway`;
    /// a line about what happened is printed to standard output every two seconds.
    ///
    /// The services answer from the moment this returns. The gateway need not listen yet: the load
    /// tries again until it does.
    ///
    /// # Errors
    /// A taken port is [`DemoError::PortTaken`] and names the port and the service.
    pub fn start(listen: DemoAddresses, gateway: SocketAddr) -> Result<Self, DemoError> {
        Self::spawn(listen, Some(gateway))
    }

    /// Starts the demo services alone, for a gateway in another process.
    ///
    /// # Errors
    /// As [`Demo::start`].
    pub fn services_only(listen: DemoAddresses) -> Result<Self, DemoError> {
        Self::spawn(listen, None)
    }

    /// Where the services listen in fact: the ports chosen where port 0 was asked for.
    pub fn addresses(&self) -> DemoAddresses {
        self.addresses
    }

    /// Cancelling it ends the load before the services: a gateway that drains is called no more, and
    /// the calls it still has are answered.
    pub fn quiet(&self) -> CancellationToken {
        self.quiet.clone()
    }

    /// Ends load and services and waits for their thread, at most a few milliseconds: calls in
    /// flight are dropped.
    pub fn stop(mut self) {
        self.end();
    }

    fn spawn(listen: DemoAddresses, gateway: Option<SocketAddr>) -> Result<Self, DemoError> {
        let listeners = Listeners::bind(listen)?;
        let addresses = listeners.addresses;
        let (quiet, ended) = (CancellationToken::new(), CancellationToken::new());
        let (calls_until, until) = (quiet.clone(), ended.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(DemoError::Thread)?;
        let thread = std::thread::Builder::new()
            .name("sumun-demo".into())
            .spawn(move || {
                runtime.block_on(until.run_until_cancelled(run(listeners, gateway, calls_until)));
            })
            .map_err(DemoError::Thread)?;
        Ok(Self { addresses, quiet, ended, thread: Some(thread) })
    }

    fn end(&mut self) {
        self.ended.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the demo's thread panicked");
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.end();
    }
}

async fn run(listeners: Listeners, gateway: Option<SocketAddr>, quiet: CancellationToken) {
    let Listeners { mailbox: [first, second], catalog, functions, .. } = listeners;
    let load = async {
        match gateway {
            Some(gateway) => load::run(gateway, quiet).await,
            None => std::future::pending().await,
        }
    };
    tokio::join!(
        serve::run(first, Arc::new(Mailbox::new("mailbox-1", SEED + 1))),
        serve::run(second, Arc::new(Mailbox::new("mailbox-2", SEED + 2))),
        serve::run(catalog, Arc::new(Catalog)),
        serve::run(functions, Arc::new(Functions::new(SEED + 3))),
        load,
    );
}

/// Every socket of the demo, bound before anything is started: all or nothing.
struct Listeners {
    addresses: DemoAddresses,
    mailbox: [TcpListener; 2],
    catalog: TcpListener,
    functions: TcpListener,
}

impl Listeners {
    fn bind(listen: DemoAddresses) -> Result<Self, DemoError> {
        let (first, first_at) = bind("mailbox", listen.mailbox[0])?;
        let (second, second_at) = bind("mailbox", listen.mailbox[1])?;
        let (catalog, catalog_at) = bind("catalog", listen.catalog)?;
        let (functions, functions_at) = bind("functions", listen.functions)?;
        Ok(Self {
            addresses: DemoAddresses {
                mailbox: [first_at, second_at],
                catalog: catalog_at,
                functions: functions_at,
            },
            mailbox: [first, second],
            catalog,
            functions,
        })
    }
}

fn bind(
    service: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), DemoError> {
    let listen = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    listen().map_err(|source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => DemoError::PortTaken { service, address },
        _ => DemoError::Listen { service, address, source },
    })
}

#[cfg(test)]
mod tests;
