//! The running gateway as telemetry and the admin listener see it: figures of this moment, taken
//! without holding anything of the data path.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use sumun_engine::{Live, Moment, Snapshot};
use sumun_policy::policy::CacheKey;
use sumun_policy::units::Name;

use super::Gateway;
use crate::admin::watch::{
    Bounds, CacheFigures, CachedRoute, Counts, Forgetting, Held, Metrics, Purge, Purged, Quantiles,
    Readiness, Recorded, RecordingFigures, RouteFigures, StoreFigures, Traces, Watch,
};
use crate::authority;
use crate::core::Shared;
use crate::reload::Reload;
use crate::sense::charts::Charts;
use crate::sense::finding::Finding;
use crate::store::{CacheView, Holdings, Manner, Resource, What};
use crate::telemetry::gauges::{
    CacheState, FunctionState, Gauges, LiveState, RouteState, SignalState, StoreState,
};
use crate::telemetry::series::{Kept, Observe, Observed, Of, Sketch, Span};
use crate::telemetry::traces::Wanted;
use crate::telemetry::{Telemetry, exposition};

/// The running gateway, seen from outside the data path.
pub struct Running {
    shared: Arc<Shared>,
    live: Arc<Live>,
    charts: Arc<Charts>,
    telemetry: Arc<Telemetry>,
    reload: Reload,
    phase: AtomicU8,
}

/// What a gateway that doesn't drain is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Opens what it needs.
    Starting,
    /// Asks upstreams for their load.
    Warming,
    /// Serves.
    Ready,
}

// === impl Running ===

impl Running {
    /// A view of the gateway, which is not ready yet.
    pub fn new(gateway: &Gateway) -> Self {
        Self {
            shared: Arc::clone(&gateway.shared),
            live: Arc::clone(&gateway.live),
            charts: Arc::clone(&gateway.charts),
            telemetry: Arc::clone(&gateway.telemetry),
            reload: gateway.reload.clone(),
            phase: AtomicU8::new(Phase::Starting as u8),
        }
    }

    /// From now on it is in this phase.
    pub fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.shared.plan.load().snapshot)
    }
}

impl Gauges for Running {
    fn read(&self) -> LiveState {
        let (snapshot, now) = (self.snapshot(), self.shared.clock.now());
        let status = self.reload.status();
        let routes = snapshot.routes().iter().map(|route| RouteState {
            route: route.policy.name.clone(),
            in_flight: route.in_flight(),
            limit: route.limit(),
            thresholds: route.thresholds().iter().map(|t| (t.signal, t.enter)).collect(),
        });
        let signals = snapshot.upstreams().iter().flat_map(|upstream| {
            let name = &upstream.policy.name;
            upstream.signals(now).into_iter().map(move |signal| SignalState {
                upstream: name.clone(),
                signal: signal.signal,
                value: signal.value,
                age: signal.age,
            })
        });
        let functions = snapshot.functions().iter().map(|function| {
            let view = function.view();
            FunctionState {
                function: view.name,
                reserved: view.reserved,
                in_use: view.in_use,
                throttled: view.throttled,
            }
        });
        let stores = self.shared.cache.second_tier().into_iter().map(|tier| StoreState {
            store: "redis",
            up: tier.up,
            ops: tier.ops.counts,
            durations: tier.ops.durations,
        });
        LiveState {
            routes: routes.collect(),
            signals: signals.collect(),
            findings: self.charts.counts(),
            functions: functions.collect(),
            cache: self.cache_state(&snapshot),
            policy_ok: status.ok,
            policy_revision: snapshot.revision,
            connections: self.shared.connections.load(Ordering::Relaxed) as u64,
            recording: Watch::recording(self).map(|view| (view.bytes, view.lost)),
            stores: stores.collect(),
        }
    }
}

impl Observe for Running {
    fn observe(&self) -> Observed {
        Observed {
            snapshot: self.snapshot(),
            now: self.shared.clock.now(),
            own_cpu: self.live.own_cpu_share(),
            connections: self.shared.connections.load(Ordering::Relaxed) as u64,
        }
    }
}

impl Watch for Running {
    fn look(&self, see: &mut dyn FnMut(&Snapshot)) {
        see(&self.snapshot());
    }

    fn now(&self) -> Moment {
        self.shared.clock.now()
    }

    fn readiness(&self) -> Readiness {
        if self.shared.drain.is_draining() {
            return Readiness::NotReady("draining".into());
        }
        let phase = self.phase.load(Ordering::Acquire);
        if phase == Phase::Ready as u8 {
            Readiness::Ready
        } else if phase == Phase::Warming as u8 {
            Readiness::NotReady("warming: upstreams are asked for their load".into())
        } else {
            Readiness::NotReady("starting".into())
        }
    }

    fn uptime(&self) -> Duration {
        self.shared.clock.now().since(Moment::default())
    }

    fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    fn own_cpu(&self) -> Option<f64> {
        self.live.own_cpu_share()
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            workers: self.shared.settings.workers,
            connections_max: self.shared.connections_max,
        }
    }

    fn route(&self, name: &str) -> Option<RouteFigures> {
        let plan = self.shared.plan.load();
        let meters = plan.meters.iter().find(|meters| meters.name() == name)?;
        let view = meters.view(self.shared.clock.now());
        Some(RouteFigures {
            rate: view.rate,
            admitted: view.admitted,
            refused: view.refused,
            shadow_refused: view.shadow,
            cache: view.cache,
            latency_ms: view.latency.map(|latency| Quantiles {
                p50: latency.p50_ms,
                p90: latency.p90_ms,
                p99: latency.p99_ms,
            }),
        })
    }

    fn series(&self, of: &Of, span: Span) -> Kept {
        self.telemetry.series(of, span)
    }

    fn sketch(&self, span: Option<Span>) -> Sketch {
        self.telemetry.sketch(span)
    }

    fn findings(&self, upstream: &str) -> Vec<Finding> {
        self.charts.findings(upstream)
    }

    fn metrics(&self) -> Metrics {
        Metrics { content_type: exposition::CONTENT_TYPE, text: self.telemetry.prometheus(self) }
    }

    fn cache_view(&self) -> CacheView {
        self.shared.cache.view()
    }

    fn cache(&self) -> CacheFigures {
        let cache = &self.shared.cache;
        let (view, evictions) = (cache.view(), cache.evictions());
        let mut routes: BTreeMap<String, CachedRoute> = BTreeMap::new();
        for held in self.held(&cache.holdings()) {
            let route = routes.entry(held.route.clone()).or_default();
            route.held = held;
        }
        let plan = self.shared.plan.load();
        for route in plan.snapshot.routes().iter().filter(|route| route.policy.cache.is_some()) {
            routes.entry(route.policy.name.as_str().to_owned()).or_default();
        }
        for meters in &plan.meters {
            if let Some(route) = routes.get_mut(meters.name()) {
                route.count(meters.totals().cache.into_iter().collect());
            }
        }
        for (name, route) in &mut routes {
            route.held.route.clone_from(name);
            route.evictions =
                Name::new(name).map_or(0, |name| evictions.get(&name).copied().unwrap_or(0));
        }
        let routes: Vec<CachedRoute> = routes.into_values().collect();
        CacheFigures {
            entries: routes.iter().map(|route| route.held.entries).sum(),
            bytes: view.bytes,
            bytes_max: view.bytes_max,
            evictions: evictions.values().sum(),
            hits: routes.iter().map(|route| route.hits).sum(),
            misses: routes.iter().map(|route| route.misses).sum(),
            routes,
        }
    }

    fn key_problems(&self) -> Vec<String> {
        self.shared.callers.key_problems()
    }

    fn recording(&self) -> Option<RecordingFigures> {
        let settings = &self.shared.settings.recording;
        let view = self.shared.recording.as_ref()?.view();
        Some(RecordingFigures {
            bytes: view.bytes + self.live.journal_bytes() as u64,
            bytes_max: settings.bytes,
            keep_s: settings.keep.as_secs(),
            lost: view.lost,
        })
    }

    fn recorded(&self) -> Option<Recorded> {
        let recording = self.shared.recording.as_ref()?;
        // Asked first: what is younger may be recorded by one worker and not yet by another.
        let settled = self.live.settled();
        let taken = recording.take(settled, self.shared.clock.now());
        Some(Recorded { recording: taken.tape.assemble(&self.live), lost: taken.lost })
    }

    fn caller_name(&self, caller: u64) -> Option<String> {
        self.shared.recording.as_ref()?.name(caller).map(|name| name.as_str().to_owned())
    }

    fn wall(&self, at: Moment) -> SystemTime {
        self.shared.clock.wall_at(at)
    }

    fn shared_store(&self) -> Option<StoreFigures> {
        let tier = self.shared.cache.second_tier()?;
        Some(StoreFigures {
            up: tier.up,
            since: tier.since,
            reason: tier.reason,
            purges_pending: tier.purges_pending,
            queued_bytes: tier.queued_bytes,
        })
    }

    fn traces(&self, wanted: &Wanted) -> Traces {
        let (counts, spans_passed_over) = self.telemetry.trace_counts();
        let link = self.shared.settings.traces.link.clone();
        Traces { traces: self.telemetry.traces(wanted), counts, spans_passed_over, link }
    }

    fn trace(&self, trace_id: u128) -> Option<Bytes> {
        self.telemetry.trace(trace_id)
    }

    fn purge(&self, purge: &Purge) -> Vec<Held> {
        let cache = &self.shared.cache;
        let manner = match purge.how {
            Forgetting::Hard => Manner::Hard,
            Forgetting::Soft => Manner::Soft(self.shared.clock.now().nanos()),
            Forgetting::Preview => Manner::Preview,
        };
        let found = match &purge.what {
            Purged::All => cache.purge(What::All, manner),
            Purged::Tag(tag) => cache.purge(What::Tag(tag), manner),
            // Not a name: nothing can have been stored under it.
            Purged::Route(name) => Name::new(name)
                .map_or_else(Holdings::new, |name| cache.purge(What::Route(&name), manner)),
            Purged::Url(url) => self.purge_url(url, manner),
            Purged::Group(origin, name) => {
                let (scheme, authority) = keyed_origin(origin);
                cache.purge(What::Group { scheme, authority: &authority, name }, manner)
            }
        };
        self.held(&found)
    }
}

impl Running {
    fn held(&self, holdings: &Holdings) -> Vec<Held> {
        let now_ns = self.shared.clock.now().nanos();
        let held = holdings.iter().map(|(route, holding)| Held {
            route: route.as_str().to_owned(),
            entries: holding.entries,
            bytes: holding.bytes,
            oldest: Some(Duration::from_nanos(now_ns.saturating_sub(holding.oldest_ns))),
        });
        held.collect()
    }

    fn cache_state(&self, snapshot: &Snapshot) -> CacheState {
        let (view, lost) = (self.shared.cache.view(), self.shared.cache.evictions());
        let caching = snapshot.routes().iter().filter(|route| route.policy.cache.is_some());
        let evictions = caching.map(|route| {
            let name = &route.policy.name;
            (name.clone(), lost.get(name).copied().unwrap_or(0))
        });
        CacheState { bytes: view.bytes, entries: view.entries, evictions: evictions.collect() }
    }

    /// Purges by the key rules of the route that a GET of the URL would take.
    fn purge_url(&self, url: &Uri, manner: Manner) -> Holdings {
        let (scheme, authority) = keyed_origin(url);
        let snapshot = self.snapshot();
        let host = url.host().unwrap_or_default().to_ascii_lowercase();
        let route = snapshot.find(&Method::GET, &host, url.path(), &HeaderMap::new());
        let rules = route.and_then(|route| route.policy.cache.as_ref());
        let key = rules.map_or_else(CacheKey::default, |rules| rules.key.clone());
        let path_and_query = url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let resource = Resource { scheme, authority: &authority, path_and_query };
        self.shared.cache.purge(What::Url(resource, &key), manner)
    }
}

/// Scheme and authority of a URL as keys have them.
fn keyed_origin(url: &Uri) -> (&'static str, String) {
    let tls = url.scheme_str() == Some("https");
    let written = url.authority().map_or("", |authority| authority.as_str()).to_ascii_lowercase();
    (if tls { "https" } else { "http" }, authority::keyed(tls, &written).to_owned())
}

impl CachedRoute {
    fn count(&mut self, results: Counts) {
        for (&result, &count) in &results {
            match result {
                "hit" | "revalidated" | "collapsed" => self.hits += count,
                _ => self.misses += count,
            }
        }
        self.results = results;
    }
}
