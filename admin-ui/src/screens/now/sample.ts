/** An answer of the admin API, for tests. */

import type { Functions, Route, Status } from "../../api/types";

export function route(name: string, other: Partial<Route> = {}): Route {
  return {
    name,
    class: "interactive",
    mode: null,
    upstream: "mailbox",
    function: null,
    rate: 30,
    in_flight: 2,
    limit: null,
    admitted: 1_204,
    refused: {},
    shadow_refused: {},
    cache: {},
    latency_ms: { p50: 81, p90: 120, p99: 180 },
    signals: [],
    ...other,
  };
}

export const status: Status = {
  version: "0.1.0",
  uptime_s: 75,
  ready: true,
  reason: null,
  revision: 3,
  policy: { ok: true, problems: 0 },
  stores: { cache: "memory" },
  workers: 2,
  key_problems: [],
  limits: { connections: 250, connections_max: 50_000 },
};

export const functions: Functions = {
  pool: { total: 100, unreserved: 60, unreserved_in_use: 6, in_use: 26 },
  functions: [
    { name: "mail-receive", upstream: "mailbox", reserved: 40, in_use: 20, peak: 40, throttled: 7 },
    { name: "newsletter", upstream: "functions", reserved: 0, in_use: 0, peak: 0, throttled: 2 },
    { name: "reports", upstream: "functions", reserved: null, in_use: 6, peak: 9, throttled: 0 },
  ],
};
