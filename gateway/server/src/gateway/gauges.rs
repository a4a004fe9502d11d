//! The running gateway as telemetry and the admin listener see it: figures of this moment, taken
//! without holding anything of the data path.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, Uri};
use sumun_engine::{Live, Moment, Snapshot};
use sumun_policy::policy::CacheKey;
use sumun_policy::units::Name;

use super::Gateway;
use crate::admin::watch::{
    Bounds, CacheFigures, Metrics, Purge, Quantiles, Readiness, Recorded, RecordingFigures,
    RouteFigures, StoreFigures, Watch,
};
use crate::authority;
use crate::core::Shared;
use crate::reload::Reload;
use crate::sense::charts::Charts;
use crate::sense::finding::Finding;
use crate::store::Resource;
use crate::telemetry::gauges::{
    FunctionState, Gauges, LiveState, RouteState, SignalState, StoreState,
};
use crate::telemetry::{Telemetry, exposition};

/// The running gateway, seen from outside the data path.
pub struct Running {
    shared: Arc<Shared>,
    live: Arc<Live>,
    charts: Arc<Charts>,
    telemetry: Arc<Telemetry>,
    reload: Reload,
    ready: AtomicBool,
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
            ready: AtomicBool::new(false),
        }
    }

    /// From now on calls may be sent here.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
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
            cache_bytes: self.shared.cache.view().bytes,
            policy_ok: status.ok,
            policy_revision: snapshot.revision,
            connections: self.shared.connections.load(Ordering::Relaxed) as u64,
            recording: Watch::recording(self).map(|view| (view.bytes, view.lost)),
            stores: stores.collect(),
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
            Readiness::NotReady("draining".into())
        } else if self.ready.load(Ordering::Acquire) {
            Readiness::Ready
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

    fn findings(&self, upstream: &str) -> Vec<Finding> {
        self.charts.findings(upstream)
    }

    fn metrics(&self) -> Metrics {
        Metrics { content_type: exposition::CONTENT_TYPE, text: self.telemetry.prometheus(self) }
    }

    fn cache(&self) -> CacheFigures {
        let view = self.shared.cache.view();
        let mut figures = CacheFigures {
            entries: view.entries,
            bytes: view.bytes,
            bytes_max: view.bytes_max,
            ..CacheFigures::default()
        };
        for meters in &self.shared.plan.load().meters {
            for (result, count) in meters.totals().cache {
                match result {
                    "hit" | "revalidated" | "collapsed" => figures.hits += count,
                    _ => figures.misses += count,
                }
            }
        }
        figures
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
        // The calls first: what the slow loop saw reaches further.
        let taken = self.shared.recording.as_ref()?.take(self.shared.clock.now());
        Some(Recorded {
            recording: taken.tape.assemble(&self.live),
            lost: taken.lost,
            overlapped: self.live.overlapped(),
        })
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

    fn purge(&self, what: &Purge) -> Option<u64> {
        let cache = &self.shared.cache;
        match what {
            Purge::All => {
                cache.purge_all();
                None
            }
            Purge::Route(name) => Name::new(name).map(|name| cache.purge_route(&name)),
            Purge::Url(url) => self.purge_url(url),
        }
    }
}

impl Running {
    /// Purges by the key rules of the route that a GET of the URL would take.
    fn purge_url(&self, url: &Uri) -> Option<u64> {
        let tls = url.scheme_str() == Some("https");
        let written = url.authority()?.as_str().to_ascii_lowercase();
        let snapshot = self.snapshot();
        let host = url.host().unwrap_or_default().to_ascii_lowercase();
        let route = snapshot.find(&Method::GET, &host, url.path(), &HeaderMap::new());
        let rules = route.and_then(|route| route.policy.cache.as_ref());
        let key = rules.map_or_else(CacheKey::default, |rules| rules.key.clone());
        let resource = Resource {
            scheme: if tls { "https" } else { "http" },
            authority: authority::keyed(tls, &written),
            path_and_query: url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str),
        };
        Some(self.shared.cache.purge_url(resource, &key))
    }
}
