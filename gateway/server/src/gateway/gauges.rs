//! The running gateway as telemetry and the admin listener see it: figures of this moment, taken
//! without holding anything of the data path.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sumun_engine::Snapshot;

use super::Gateway;
use crate::core::Shared;
use crate::reload::Reload;
use crate::telemetry::Telemetry;
use crate::telemetry::gauges::{FunctionState, Gauges, LiveState, RouteState, SignalState};

/// The running gateway, seen from outside the data path.
pub struct Running {
    shared: Arc<Shared>,
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
        LiveState {
            routes: routes.collect(),
            signals: signals.collect(),
            functions: functions.collect(),
            cache_bytes: 0,
            policy_ok: status.ok,
            policy_revision: snapshot.revision,
            connections: self.shared.connections.load(Ordering::Relaxed) as u64,
        }
    }
}
