/** Shapes of the admin API's answers, as far as the screens read them. Times and sizes have their unit last in the name. */

export interface Status {
  version: string;
  uptime_s: number;
  ready: boolean;
  /** Why it is not ready; null while it is. */
  reason: string | null;
  /** Revision of the running policy. */
  revision: number;
  policy: { ok: boolean; problems: number };
  stores: {
    cache: string;
    redis?: { up: boolean; since_s: number; reason: string | null; purges_pending: number; queued_bytes: number };
  };
  workers: number;
  limits: { connections: number; connections_max: number };
}

export type RouteClass = "interactive" | "default" | "batch" | "bulk";
export type Mode = "enforce" | "shadow" | "off";
export type SignalState = "fresh" | "stale" | "expired" | "absent";

export interface Signal {
  signal: string;
  value: number | null;
  age_ms: number | null;
  state: SignalState;
  threshold: { enter: number; exit: number } | null;
}

export interface Route {
  name: string;
  class: RouteClass;
  /** null: the route has no thresholds. */
  mode: Mode | null;
  upstream: string;
  function: string | null;
  /** Calls per second, now. */
  rate: number;
  in_flight: number;
  /** Calls in flight that the route may have now; null: no limit. */
  limit: number | null;
  /** Since the start, as all counters here. */
  admitted: number;
  /** By reason: `rps_over`, `cpu_over`, `workers_over`, `quota_full`. */
  refused: Record<string, number>;
  /** What would have been refused in shadow mode, by reason. */
  shadow_refused: Record<string, number>;
  /** By result: `hit`, `miss`, `stale`, …; empty where the route does not cache. */
  cache: Record<string, number>;
  /** null: nothing was asked lately. */
  latency_ms: { p50: number; p90: number; p99: number } | null;
  signals: Signal[];
}

export interface Routes {
  routes: Route[];
}

export interface Pool {
  total: number;
  unreserved: number;
  unreserved_in_use: number;
  in_use: number;
}

export interface FunctionQuota {
  name: string;
  upstream: string;
  /** null: shares the unreserved pool. */
  reserved: number | null;
  in_use: number;
  peak: number;
  throttled: number;
}

export interface Functions {
  pool: Pool;
  functions: FunctionQuota[];
}
