//! The one owner of everything: build, run, drain.
//!
//! Workers carry calls, each on its own thread. A background runtime carries everything else
//! (signals of upstreams, reloads, exporters, the admin listener), so that none of it waits in a
//! worker's run queue, nor the reverse.

mod addresses;
mod descriptors;
mod gauges;
mod notify;
mod readings;
mod signals;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::{Context as _, bail};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use sumun_engine::{Live, Snapshot};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{Notify, mpsc};
use tokio_rustls::TlsConnector;

pub use self::addresses::Addresses;
use self::gauges::Phase;
use self::signals::{Signals, Told};
use crate::admin::watch::Watch;
use crate::admin::{Admin, Opening};
use crate::callers::Callers;
use crate::clock::Clock;
use crate::core::Shared;
use crate::drain::Drain;
use crate::listen;
use crate::plan::Plan;
use crate::recording::Recording;
use crate::reload::{LoadedPolicy, Reload, Source};
use crate::sense::charts::Charts;
use crate::sense::cpu::CpuMeter;
use crate::sense::{SCRAPE_TIME_MAX, Sense};
use crate::settings::{CacheStore, Settings};
use crate::store::Cache;
use crate::telemetry::gauges::Gauges;
use crate::telemetry::otlp::settings::OtelSettings;
use crate::telemetry::series::Observe;
use crate::telemetry::{Telemetry, TelemetrySettings};
use crate::upstream;
use crate::worker;

/// Period of the engine's slow loop: signal ages, limits.
const SLOW_LOOP_EVERY: Duration = Duration::from_millis(100);

/// Turns of the slow loop between two looks at our own CPU: half a second, since `/proc` counts in
/// hundredths.
const OWN_CPU_TURNS: u32 = 5;

/// Turns of the slow loop between two looks at who should send ORCA headers and doesn't: it takes
/// a hundred calls to say so, and nothing depends on a few seconds.
const ORCA_TURNS: u32 = 20;

/// Threads of the background runtime: one may be busy with a large reload while the other answers
/// readiness probes.
const BACKGROUND_THREADS: usize = 2;

/// Longest that a start waits for the first readings: a scrape's own bound and time to be told of it.
const FIRST_READINGS_TIME_MAX: Duration =
    SCRAPE_TIME_MAX.saturating_add(Duration::from_millis(200));

/// Longest that the last lines and spans may take at the end.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(3);

/// The process, built and listening, not yet serving.
pub struct Gateway {
    shared: Arc<Shared>,
    live: Arc<Live>,
    charts: Arc<Charts>,
    sense: Arc<Mutex<Sense>>,
    telemetry: Arc<Telemetry>,
    reload: Reload,
    hangups: mpsc::Sender<()>,
    signals: Signals,
    listeners: Vec<TcpListener>,
    admin: Option<TcpListener>,
    addresses: Addresses,
    /// Last: dropping it ends what runs on it.
    background: Runtime,
}

/// Makes checked policies the running ones.
struct Applier {
    shared: Weak<Shared>,
    live: Arc<Live>,
    telemetry: Arc<Telemetry>,
    sense: Arc<Mutex<Sense>>,
    charts: Arc<Charts>,
    revision: AtomicU64,
}

// === impl Gateway ===

impl Gateway {
    /// Binds the listeners, opens the state, loads the policy. Nothing is served yet.
    pub fn build(settings: Settings) -> anyhow::Result<Self> {
        let background = background()?;
        let signals = {
            let _within = background.enter();
            Signals::of_a_start()
        };
        let clock = Clock::start();
        let listeners = listen::bind(settings.listen, settings.workers)
            .with_context(|| format!("can't listen on {} (setting `listen`)", settings.listen))?;
        let listen_address = listeners[0].local_addr().context("a bound socket has an address")?;
        let admin = Admin::bind(settings.admin.listen)?;
        let admin_address = admin.local_addr().context("a bound socket has an address")?;
        let addresses = Addresses { listen: listen_address, admin: admin_address };
        let tls = settings.tls.as_ref().map(listen::tls::acceptor).transpose()?;
        // Once: the system's authorities take milliseconds to load, and memory.
        let connector = connector()?;
        let telemetry = Telemetry::build(
            TelemetrySettings {
                access_log: settings.access_log.clone(),
                cores: settings.workers,
                scheme: if tls.is_some() { "https" } else { "http" },
                otel: OtelSettings::from_env()?,
                clock,
            },
            &connector,
            background.handle(),
        )?;
        let recording = Recording::new(&settings.recording, settings.workers);
        let live = Arc::new(live(&settings, recording.is_some()));
        let shared = Arc::new(Shared {
            callers: Arc::new(Callers::new(&settings.callers)?),
            plan: Arc::new(ArcSwap::from_pointee(Plan::empty(&live, clock.now()))),
            cache: cache(&settings, clock, background.handle()),
            recording,
            drain: Drain::default(),
            tls,
            connector,
            pseudonym: format!("sumun-{:08x}", fastrand::u32(..)),
            connections: Arc::default(),
            connections_max: descriptors::connections_max(settings.limits.connections),
            own: addresses.own(),
            clock,
            settings,
        });
        let charts = Arc::new(Charts::default());
        let sense = Arc::new(Mutex::new(sense(&shared, &charts, &background)));
        let applier = Applier {
            sense: Arc::clone(&sense),
            charts: Arc::clone(&charts),
            shared: Arc::downgrade(&shared),
            live: Arc::clone(&live),
            telemetry: Arc::clone(&telemetry),
            revision: AtomicU64::new(0),
        };
        let (hangups, hangups_received) = mpsc::channel(1);
        let reload = {
            let _within = background.enter();
            let apply = Arc::new(move |loaded: LoadedPolicy| applier.apply(loaded));
            Reload::start(source(&shared.settings), &shared.settings.state, apply, hangups_received)
        };
        Ok(Self {
            shared,
            live,
            charts,
            sense,
            telemetry,
            reload,
            hangups,
            signals,
            listeners,
            admin: Some(admin),
            addresses,
            background,
        })
    }

    /// Where it listens; known before it serves.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Ends when the gateway begins to drain.
    pub fn draining(&self) -> impl Future<Output = ()> + use<> {
        let shared = Arc::clone(&self.shared);
        async move { shared.drain.begun().await }
    }

    /// The background runtime, for what shall end with the gateway.
    pub fn background(&self) -> &Handle {
        self.background.handle()
    }

    /// Serves until `stop` is notified or the process is told to end; then drains. Returns once the
    /// last call has ended or `drain.limit` has passed.
    pub fn run(
        mut self,
        stop: &Arc<Notify>,
        ready: impl FnOnce(&Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.load_first_policy()?;
        let gauges = Arc::new(gauges::Running::new(&self));
        let weak: Weak<dyn Gauges> = Arc::downgrade(&gauges) as _;
        self.telemetry.push_metrics(weak)?;
        let weak: Weak<dyn Observe> = Arc::downgrade(&gauges) as _;
        self.telemetry.keep_series(weak);
        let admin = Admin::start(Opening {
            listener: self.admin.take().context("the admin listener is started once")?,
            settings: &self.shared.settings.admin,
            state: &self.shared.settings.state,
            watch: Arc::clone(&gauges) as Arc<dyn Watch>,
            reload: self.reload.clone(),
        })?;
        self.background.spawn(Arc::clone(&self.shared.callers).follow_keys());
        self.background.spawn(slow_loop(
            Arc::clone(&self.shared),
            Arc::clone(&self.live),
            Arc::clone(&self.charts),
        ));
        self.ask_upstreams(&gauges);
        let mut workers = Vec::new();
        let (starting, started) = std::sync::mpsc::sync_channel(0);
        for (id, listener) in self.listeners.iter().enumerate() {
            let listener = listener.try_clone().context("can't share the listening socket")?;
            let (shared, telemetry) = (Arc::clone(&self.shared), Arc::clone(&self.telemetry));
            // A worker that ends by itself ends the process: its socket would go on queueing
            // connections that nobody accepts.
            let (starting, ended) = (starting.clone(), Arc::clone(stop));
            let telemetry = move || telemetry.core(id);
            let worker = worker::start(id, shared, telemetry, listener, starting, ended);
            workers.push(worker.context("can't start a worker thread")?);
        }
        drop(starting);
        {
            let _within = self.background.enter();
            self.signals.serving();
        }
        let _ = started.recv(); // ends once no worker is starting any more: ready means that all run
        self.addresses.write(&self.shared.settings.state)?;
        gauges.set_phase(Phase::Ready);
        self.addresses.announce(self.shared.tls.is_some(), admin.login.as_deref());
        notify::ready();
        ready(&self)?;
        self.until_told(stop);
        let drained = self.drain(workers);
        drop(admin); // last: it says "draining" to the end
        drained
    }

    /// The first policy must hold: there is no older one to stay with.
    fn load_first_policy(&self) -> anyhow::Result<()> {
        if let Err(problems) = self.background.block_on(self.reload.now()) {
            // Each has been logged where it was found.
            let count = problems.len();
            bail!("the policy has {count} problem(s); `sumun check` shows them with their lines");
        }
        Ok(())
    }

    /// Asks upstreams for their load before the first call is let through to them: a gateway that
    /// restarts in a flood would admit all of it until the first reading. Connections wait in the
    /// listening sockets meanwhile. An upstream that doesn't answer costs [`FIRST_READINGS_TIME_MAX`].
    fn ask_upstreams(&self, gauges: &gauges::Running) {
        gauges.set_phase(Phase::Warming);
        let asked = self.sense.lock().all_asked();
        let asked = async { tokio::time::timeout(FIRST_READINGS_TIME_MAX, asked).await };
        if self.background.block_on(asked).is_err() {
            tracing::warn!("started before every upstream had told its load");
        }
    }

    /// Returns when the process is told to end. SIGHUP reloads and reopens the log on the way.
    fn until_told(&mut self, stop: &Notify) {
        let (background, signals) = (&self.background, &mut self.signals);
        let mut next = || {
            background.block_on(async {
                tokio::select! {
                    told = signals.next() => told,
                    () = stop.notified() => Told::End,
                }
            })
        };
        while next() == Told::Hangup {
            self.telemetry.reopen();
            // A full queue: a reload is already asked for.
            let _ = self.hangups.try_send(());
            self.shared.callers.ask_for_keys();
        }
    }

    fn drain(
        self,
        workers: Vec<std::thread::JoinHandle<std::io::Result<()>>>,
    ) -> anyhow::Result<()> {
        let drain = &self.shared.drain;
        let settings = &self.shared.settings.drain;
        tracing::info!(announce = ?settings.announce, limit = ?settings.limit, "draining");
        notify::stopping();
        drain.announce();
        std::thread::sleep(settings.announce);
        // The workers' own sockets are clones: these must close too, or the kernel goes on queueing.
        drop(self.listeners);
        drain.stop_accepting();
        let shared = Arc::clone(&self.shared);
        let limit = settings.limit;
        self.background.spawn(async move {
            tokio::time::sleep(limit).await;
            shared.drain.cut_all();
        });
        // All of them, before anything is said of one: the others have calls in flight.
        let ended: Vec<_> = workers.into_iter().map(std::thread::JoinHandle::join).collect();
        self.background.block_on(self.telemetry.flush(FLUSH_TIME_MAX));
        self.background.shutdown_timeout(Duration::from_millis(100));
        for ended in ended {
            match ended {
                Ok(ended) => ended.context("a worker failed")?,
                Err(_) => bail!("a worker panicked"),
            }
        }
        tracing::info!("drained");
        Ok(())
    }
}

/// For everything but calls.
fn background() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(BACKGROUND_THREADS)
        .thread_name("sumun-background")
        .enable_all()
        .build()
        .context("can't start the background runtime")
}

fn connector() -> anyhow::Result<TlsConnector> {
    upstream::tls_connector().context("can't load the system's certificate authorities")
}

/// The engine's state, with a journal where calls are recorded.
fn live(settings: &Settings, is_recorded: bool) -> Live {
    let (recorded, callers_max) = (&settings.recording, settings.callers.callers_max);
    if is_recorded {
        Live::recorded(callers_max, Recording::journal_bytes(recorded), recorded.keep)
    } else {
        Live::with_callers_max(callers_max)
    }
}

fn cache(settings: &Settings, clock: Clock, background: &Handle) -> Cache {
    let memory_bytes = settings.cache.memory_bytes;
    match settings.cache.store {
        CacheStore::Memory => Cache::new(memory_bytes),
        CacheStore::Redis => {
            Cache::with_redis(memory_bytes, settings.redis.clone(), clock, background)
        }
    }
}

/// Scrapes nothing before the first policy.
fn sense(shared: &Arc<Shared>, charts: &Arc<Charts>, background: &Runtime) -> Sense {
    let (connector, own) = (shared.connector.clone(), shared.own.clone());
    let shared = Arc::downgrade(shared);
    let readings = readings::ToEngine { shared, charts: Arc::clone(charts) };
    Sense::new(background.handle().clone(), connector, own, Arc::new(readings))
}

fn source(settings: &Settings) -> Source {
    match &settings.to {
        Some(url) => Source::To(url.clone()),
        None => Source::Folder(PathBuf::from(&settings.policies)),
    }
}

/// Moves the engine on: signals age, limits follow, whether or not anybody calls.
async fn slow_loop(shared: Arc<Shared>, live: Arc<Live>, charts: Arc<Charts>) {
    let mut own_cpu = CpuMeter::new("/");
    let mut interval = tokio::time::interval(SLOW_LOOP_EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    for turn in (0..ORCA_TURNS).cycle() {
        interval.tick().await;
        let now = shared.clock.now();
        if turn % OWN_CPU_TURNS == 0
            && let Some(share) = own_cpu.sample(now)
        {
            live.observe_own_cpu(share, now);
        }
        let plan = shared.plan.load();
        plan.snapshot.tick(now);
        if turn == 0 {
            look_for_orca(&plan, &charts);
        }
    }
}

/// Tells the doctor of upstreams that answer calls and never report their load.
fn look_for_orca(plan: &Plan, charts: &Charts) {
    let upstreams = plan.snapshot.upstreams().iter();
    for upstream in upstreams.filter(|upstream| Charts::expects_orca(&upstream.policy)) {
        let routes = std::iter::zip(plan.snapshot.routes(), &plan.meters);
        let here = routes.filter(|(route, _)| route.upstream.index == upstream.index);
        let answered = here.map(|(_, meters)| meters.totals().admitted).sum();
        for endpoint in upstream.endpoints() {
            let heard = endpoint.was_heard();
            charts.note_orca(&upstream.policy.name, &endpoint.address, answered, heard);
        }
    }
}

// === impl Applier ===

impl Applier {
    /// Compiles and swaps; live state stays. Returns the revision.
    fn apply(&self, loaded: LoadedPolicy) -> u64 {
        let running = self.revision.load(Ordering::Relaxed);
        let Some(shared) = self.shared.upgrade() else { return running };
        let same = || *shared.plan.load().snapshot.policy == loaded.policy;
        if running > 0 && loaded.revision.map_or_else(same, |revision| revision == running) {
            return running; // asked to reload what runs: nothing changes, nothing is interrupted
        }
        // Larger than any before, also where the history can't be written any more.
        let revision = loaded.revision.unwrap_or(0).max(running + 1);
        self.revision.store(revision, Ordering::Relaxed);
        let now = shared.clock.now();
        let snapshot = Arc::new(Snapshot::compile(loaded.policy, revision, &self.live, now));
        let meters =
            snapshot.routes().iter().map(|route| self.telemetry.route(&route.policy)).collect();
        let recorded = shared.recording.as_ref().map(|recording| recording.follow(&snapshot, now));
        let recorded = recorded.unwrap_or_default();
        shared.plan.store(Arc::new(Plan { snapshot: Arc::clone(&snapshot), meters, recorded }));
        self.charts.follow(&snapshot.policy);
        self.sense.lock().follow(&snapshot.policy);
        revision
    }
}
