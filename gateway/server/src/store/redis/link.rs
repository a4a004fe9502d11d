//! Connections to Redis: made together, kept together, dropped together.
//!
//! A [`Link`] begins with [`Link::open`] and ends when the first of its parts fails: then it is
//! dropped whole and another is made, so that no reply of before is waited for. What must not wait for
//! one another has its own connection: entries that are read, entries that are written, and small
//! commands. Replies that nobody waits for any more are read and thrown away by the connection itself.
//!
//! Bounds: [`CONNECT_TIME_MAX`] for each connection; the time of an operation is its caller's.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection, PubSub};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, FromRedisValue, IntoConnectionInfo as _,
    Pipeline, RedisConnectionInfo, RedisError, RedisFuture, RedisResult, TlsCertificates, TlsMode,
    Value,
};
use tokio::sync::Notify;

use crate::settings::{Secret, SharedStoreSettings, StoreAddress, Topology};

/// Longest time to make one connection, log-in included. Within one machine room a hundred times what
/// it takes; short enough to be back within two seconds of Redis.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(1);

/// Failures one after another, timeouts included, after which the link is given up. One or two may be
/// a slow command of somebody else; a hung Redis costs this many deadlines, all at the same time.
const FAILURES_MAX: u32 = 3;

/// Reads that wait for their reply, at most. More than this a link does not answer within a deadline;
/// what comes over it goes on without Redis.
const READS_MAX: u32 = 512;

/// Commands that wait for their turn on one connection before the caller waits itself.
const BACKLOG_COMMANDS: usize = 128;

/// All connections to Redis.
pub(crate) struct Link {
    /// For entries that are read.
    pub(crate) read: Pipe,
    /// For entries that are written.
    pub(crate) write: Pipe,
    /// For small commands.
    pub(crate) control: Pipe,
    /// What subscriptions are made with, in the order to try.
    subscribers: Vec<Client>,
    failures: AtomicU32,
    reads: AtomicU32,
    broken: AtomicBool,
    given_up: Notify,
    /// Until when (monotonic ns) nothing is written, because Redis has no room.
    pub(crate) full_until_ns: AtomicU64,
}

/// One connection to one server, or one to each node of a cluster; clones share it.
#[derive(Clone)]
pub(crate) enum Pipe {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The authorities' file.
    #[error("can't read {file}")]
    Ca {
        /// Path of the file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// Redis, or the way to it.
    #[error("{0}")]
    Redis(#[from] RedisError),
    /// Too many operations failed, the last one so.
    #[error("{0}")]
    GivenUp(String),
    /// Nothing said within the time.
    #[error("no reply within {0:?}")]
    Timeout(Duration),
}

/// The right to one read; given back on Drop.
pub(crate) struct ReadSlot<'a>(&'a Link);

// === impl Link ===

impl Link {
    /// Connects and logs in.
    pub(crate) async fn open(settings: &SharedStoreSettings) -> Result<Self, LinkError> {
        let ca = settings.ca.as_deref().map(certificates).transpose()?;
        match settings.address.topology {
            Topology::Single => Self::single(single(settings, ca)?).await,
            Topology::Sentinel { ref master } => {
                let client = within(CONNECT_TIME_MAX, master_of(settings, master, ca)).await?;
                Self::single(client).await
            }
            Topology::Cluster => Self::cluster(settings, ca).await,
        }
    }

    async fn single(client: Client) -> Result<Self, LinkError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIME_MAX))
            // The caller's deadline holds, also for the wait before the command is sent.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(BACKLOG_COMMANDS);
        let pipe = || async {
            let made = client.get_multiplexed_async_connection_with_config(&config);
            within(CONNECT_TIME_MAX, made).await.map(Pipe::Single)
        };
        let (read, write, control) = tokio::try_join!(pipe(), pipe(), pipe())?;
        Ok(Self::of(read, write, control, vec![client]))
    }

    async fn cluster(
        settings: &SharedStoreSettings,
        ca: Option<TlsCertificates>,
    ) -> Result<Self, LinkError> {
        let mut builder = ClusterClient::builder(addresses(&settings.address))
            .connection_timeout(CONNECT_TIME_MAX)
            .response_timeout(CONNECT_TIME_MAX)
            // Redirections are followed; what else fails is the caller's to judge.
            .retries(2);
        if settings.address.tls {
            builder = builder.tls(TlsMode::Secure);
        }
        if let Some(ca) = &ca {
            builder = builder.certs(ca.clone());
        }
        if let Some(user) = settings.user() {
            builder = builder.username(user);
        }
        if let Some(password) = settings.password() {
            builder = builder.password(password.reveal());
        }
        let client = builder.build()?;
        let pipe = || async {
            within(CONNECT_TIME_MAX, client.get_async_connection()).await.map(Pipe::Cluster)
        };
        let (read, write, control) = tokio::try_join!(pipe(), pipe(), pipe())?;
        // What one node is told, all nodes tell their subscribers.
        let subscribers = addresses(&settings.address).into_iter();
        let subscribers = subscribers.map(|node| client_of(node, settings, 0, ca.clone()));
        let subscribers = subscribers.collect::<RedisResult<_>>()?;
        Ok(Self::of(read, write, control, subscribers))
    }

    fn of(read: Pipe, write: Pipe, control: Pipe, subscribers: Vec<Client>) -> Self {
        Self {
            read,
            write,
            control,
            subscribers,
            failures: AtomicU32::new(0),
            reads: AtomicU32::new(0),
            broken: AtomicBool::new(false),
            given_up: Notify::new(),
            full_until_ns: AtomicU64::new(0),
        }
    }

    /// A connection that hears what is said on `channel`.
    pub(crate) async fn subscribe(&self, channel: &str) -> Result<PubSub, LinkError> {
        let mut failed = LinkError::Timeout(CONNECT_TIME_MAX);
        for client in &self.subscribers {
            let subscribed = within(CONNECT_TIME_MAX, async {
                let mut heard = client.get_async_pubsub().await?;
                heard.subscribe(channel).await?;
                Ok(heard)
            });
            match subscribed.await {
                Ok(heard) => return Ok(heard),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Room for one more read.
    pub(crate) fn begin_read(&self) -> Option<ReadSlot<'_>> {
        let slot = ReadSlot(self);
        (self.reads.fetch_add(1, Ordering::Relaxed) < READS_MAX).then_some(slot)
    }

    /// An operation was answered.
    pub(crate) fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// An operation was not answered in time, or refused. Whether the link is given up by that.
    pub(crate) fn failed(&self) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        failures >= FAILURES_MAX && self.give_up()
    }

    /// No more of this link. Whether it was in use until now.
    pub(crate) fn give_up(&self) -> bool {
        let first = !self.broken.swap(true, Ordering::AcqRel);
        self.given_up.notify_one();
        first
    }

    /// Whether it may still be used.
    pub(crate) fn is_whole(&self) -> bool {
        !self.broken.load(Ordering::Acquire)
    }

    /// Returns once the link is given up.
    pub(crate) async fn until_given_up(&self) {
        while self.is_whole() {
            self.given_up.notified().await;
        }
    }
}

impl Drop for ReadSlot<'_> {
    fn drop(&mut self) {
        self.0.reads.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl Pipe ===

impl Pipe {
    /// One command and its reply.
    pub(crate) async fn ask<T: FromRedisValue>(
        &self,
        command: &Cmd,
        time_max: Duration,
    ) -> Result<T, LinkError> {
        let mut pipe = self.clone();
        within(time_max, command.query_async(&mut pipe)).await
    }

    /// Several commands in one go, all of one key.
    pub(crate) async fn ask_all<T: FromRedisValue>(
        &self,
        commands: &Pipeline,
        time_max: Duration,
    ) -> Result<T, LinkError> {
        let mut pipe = self.clone();
        within(time_max, commands.query_async(&mut pipe)).await
    }
}

impl ConnectionLike for Pipe {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(pipe) => pipe.req_packed_command(command),
            Self::Cluster(pipe) => pipe.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(pipe) => pipe.req_packed_commands(commands, offset, count),
            Self::Cluster(pipe) => pipe.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(pipe) => pipe.get_db(),
            Self::Cluster(pipe) => pipe.get_db(),
        }
    }
}

// === impl LinkError ===

impl LinkError {
    /// Whether the connection is gone, or the server is one that can't be written to: no use in
    /// trying the same connection again.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Redis(error) => {
                error.is_connection_dropped()
                    || error.is_io_error()
                    || matches!(error.code(), Some("READONLY" | "LOADING" | "MASTERDOWN"))
            }
            Self::Ca { .. } | Self::GivenUp(_) => true,
            Self::Timeout(_) => false,
        }
    }

    /// Whether the server has no room for more.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Redis(error) if error.code() == Some("OOM"))
    }

    /// As a label.
    pub(crate) fn result(&self) -> super::meters::OpResult {
        use super::meters::OpResult;
        match self {
            Self::Timeout(_) => OpResult::Timeout,
            _ if self.is_full() => OpResult::Full,
            _ => OpResult::Error,
        }
    }
}

/// With a deadline.
async fn within<T>(
    time_max: Duration,
    operation: impl Future<Output = RedisResult<T>>,
) -> Result<T, LinkError> {
    match tokio::time::timeout(time_max, operation).await {
        Ok(done) => done.map_err(LinkError::Redis),
        Err(_) => Err(LinkError::Timeout(time_max)),
    }
}

fn certificates(file: &Path) -> Result<TlsCertificates, LinkError> {
    // Read anew for each link: a certificate that was replaced holds from the next one on.
    let root_cert = std::fs::read(file)
        .map_err(|source| LinkError::Ca { file: file.display().to_string(), source })?;
    Ok(TlsCertificates { client_tls: None, root_cert: Some(root_cert) })
}

fn addresses(address: &StoreAddress) -> Vec<ConnectionAddr> {
    let nodes = address.nodes.iter().cloned();
    nodes
        .map(|(host, port)| {
            if address.tls {
                ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
            } else {
                ConnectionAddr::Tcp(host, port)
            }
        })
        .collect()
}

fn single(
    settings: &SharedStoreSettings,
    ca: Option<TlsCertificates>,
) -> Result<Client, LinkError> {
    let node = addresses(&settings.address).into_iter().next();
    let node = node.ok_or_else(|| io::Error::other("no host")).map_err(RedisError::from)?;
    Ok(client_of(node, settings, settings.address.database, ca)?)
}

fn client_of(
    node: ConnectionAddr,
    settings: &SharedStoreSettings,
    database: u16,
    ca: Option<TlsCertificates>,
) -> RedisResult<Client> {
    let mut login = RedisConnectionInfo::default().set_db(database.into()).set_skip_set_lib_name();
    if let Some(user) = settings.user() {
        login = login.set_username(user);
    }
    if let Some(password) = settings.password() {
        login = login.set_password(password.reveal());
    }
    let info = node.into_connection_info()?.set_redis_settings(login);
    match ca {
        Some(ca) => Client::build_with_tls(info, ca),
        None => Client::open(info),
    }
}

/// The master as the sentinels know it now.
async fn master_of(
    settings: &SharedStoreSettings,
    master: &str,
    ca: Option<TlsCertificates>,
) -> RedisResult<Client> {
    let sentinels = addresses(&settings.address);
    let mut builder = SentinelClientBuilder::new(sentinels, master, SentinelServerType::Master)?
        .set_client_to_redis_db(settings.address.database.into());
    if settings.address.tls {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
    }
    if let Some(ca) = ca {
        builder = builder
            .set_client_to_sentinel_certificates(ca.clone())
            .set_client_to_redis_certificates(ca);
    }
    if let Some(user) = settings.user() {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = settings.password().map(Secret::reveal) {
        builder = builder.set_client_to_redis_password(password);
    }
    builder.build()?.async_get_client().await
}
