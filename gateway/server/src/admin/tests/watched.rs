//! A gateway as the admin listener sees it, with figures that tests know.

use super::super::watch::{
    Bounds, CacheFigures, CachedRoute, Held, Metrics, Quantiles, Recorded, RecordingFigures,
    RouteFigures, StoreFigures, Traces,
};
use super::*;
use crate::sense::doctor::Chart;
use crate::sense::finding::Finding;
use crate::telemetry::series::{Kept, Of, Points, Sketch, Span};
use crate::telemetry::traces::KindCounts;

/// The one trace that is kept.
pub(super) const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// For how long the oldest stored answer has been there.
const AGE: Duration = Duration::from_millis(1500);

/// A gateway that is watched but takes no calls.
pub(super) struct Watched {
    pub(super) snapshot: ArcSwapOption<Snapshot>,
    pub(super) live: Live,
    pub(super) readiness: Mutex<Readiness>,
    pub(super) purged: Mutex<Vec<Purge>>,
    /// What was asked for of traces.
    pub(super) wanted: Mutex<Vec<Wanted>>,
}

impl Watch for Watched {
    fn look(&self, see: &mut dyn FnMut(&Snapshot)) {
        if let Some(snapshot) = &*self.snapshot.load() {
            see(snapshot);
        }
    }

    fn now(&self) -> Moment {
        Moment::from_nanos(1)
    }

    fn readiness(&self) -> Readiness {
        self.readiness.lock().clone()
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn connections(&self) -> usize {
        3
    }

    fn own_cpu(&self) -> Option<f64> {
        Some(0.25)
    }

    fn bounds(&self) -> Bounds {
        Bounds { workers: 2, connections_max: 50_000 }
    }

    fn route(&self, name: &str) -> Option<RouteFigures> {
        (name == "mail-receive").then(|| RouteFigures {
            rate: 12.5,
            admitted: 7,
            refused: [("rps_over", 2)].into(),
            latency_ms: Some(Quantiles { p50: 1.0, p90: 2.0, p99: 3.0 }),
            ..RouteFigures::default()
        })
    }

    fn series(&self, of: &Of, span: Span) -> Kept {
        match (of, span) {
            (Of::Route(name), Span::Quarter) if name == "mail-receive" => {
                let figures = vec![("calls", vec![2.0, 0.5]), ("limit", vec![f32::NAN, 7.0])];
                Kept::Points(Points { count: 2, to_unix_s: 60, figures })
            }
            (Of::Upstream(_), _) => Kept::NoRoom,
            _ => Kept::Nothing,
        }
    }

    fn sketch(&self, span: Option<Span>) -> Sketch {
        let routes = [("mail-receive".to_owned(), (vec![2.0], vec![f32::NAN]))].into();
        let every_s = span.map_or(1, Span::every_s);
        Sketch { to_unix_s: 60, every_s, routes }
    }

    fn findings(&self, upstream: &str) -> Vec<Finding> {
        let mut chart = Chart::default();
        chart.note_orca(500, false);
        let snapshot = self.snapshot.load_full();
        let upstreams = snapshot.as_ref().map(|snapshot| snapshot.upstreams()).unwrap_or_default();
        let known = upstreams.iter().find(|known| known.policy.name.as_str() == upstream);
        known.map(|u| chart.findings(&u.policy, &u.policy.endpoints[0])).unwrap_or_default()
    }

    fn metrics(&self) -> Metrics {
        Metrics { content_type: "text/plain; version=0.0.4", text: "sumun_up 1\n".to_owned() }
    }

    fn cache_view(&self) -> crate::store::CacheView {
        crate::store::CacheView { entries: 4, bytes: 5, bytes_max: 6 }
    }

    fn cache(&self) -> CacheFigures {
        let held = Held { route: "mail-list".to_owned(), entries: 4, bytes: 5, oldest: Some(AGE) };
        let route = CachedRoute {
            held,
            evictions: 2,
            results: [("hit", 3), ("miss", 1)].into(),
            hits: 3,
            misses: 1,
        };
        let (hits, misses, routes) = (3, 1, vec![route]);
        CacheFigures { entries: 4, bytes: 5, bytes_max: 6, evictions: 2, hits, misses, routes }
    }

    fn key_problems(&self) -> Vec<String> {
        vec!["callers.api_keys keys:1: a key has no space in it".to_owned()]
    }

    fn recording(&self) -> Option<RecordingFigures> {
        Some(RecordingFigures { bytes: 64, bytes_max: 128, keep_s: 900, lost: 3 })
    }

    fn recorded(&self) -> Option<Recorded> {
        None
    }

    fn caller_name(&self, _: u64) -> Option<String> {
        None
    }

    fn wall(&self, _: Moment) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn shared_store(&self) -> Option<StoreFigures> {
        None
    }

    fn traces(&self, wanted: &Wanted) -> Traces {
        self.wanted.lock().push(wanted.clone());
        let counts = Kind::ALL.map(|kind| (kind, KindCounts { kept: 1, forgotten: 2 }));
        let link = Some("http://127.0.0.1:16686/trace/{trace_id}".to_owned());
        Traces { traces: Vec::new(), counts, spans_passed_over: 3, link }
    }

    fn trace(&self, trace_id: u128) -> Option<Bytes> {
        let kept = format!("{trace_id:032x}") == TRACE_ID;
        kept.then(|| Bytes::from_static(b"{\"resourceSpans\":[]}"))
    }

    fn purge(&self, purge: &Purge) -> Vec<Held> {
        self.purged.lock().push(purge.clone());
        vec![Held { route: "mail-list".to_owned(), entries: 4, bytes: 5, oldest: Some(AGE) }]
    }
}
