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
  /** What is wrong with the files of keys, one sentence each. */
  key_problems: string[];
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

export type Role = "viewer" | "editor" | "admin";

export interface Session {
  /** `token` for whoever has the admin token. */
  user: string;
  role: Role;
  /** Whether changes are refused whatever the role. */
  read_only: boolean;
}

/** Something wrong with a policy file, where exactly, and what to do. */
export interface Problem {
  file: string;
  line: number;
  column: number;
  message: string;
  help: string;
}

export interface PolicyList {
  ok: boolean;
  revision: number;
  read_only: boolean;
  files: { file: string; etag: string; bytes: number }[];
  problems: Problem[];
}

export interface PolicyFile {
  file: string;
  text: string;
  etag: string;
}

export interface Written {
  file: string;
  revision: number;
  etag: string | null;
}

/** Texts by file name; null: the file would be removed. Files that are not named stay. */
export type Draft = Record<string, string | null>;

export interface Checked {
  problems: Problem[];
  /** What would change, one sentence each. */
  diff: string[];
}

/** Counts of calls. */
export interface Sums {
  admitted: number;
  refused: number;
  /** Of these, by code: `rps_over`, `cpu_over`, `workers_over`, `quota_full`. */
  refused_by: Record<string, number>;
  shadow_refused_by: Record<string, number>;
}

/** What became of recorded calls, and would have become of them under a draft. */
export interface Preview {
  /** null without calls. */
  from_unix_ms: number | null;
  to_unix_ms: number | null;
  calls: number;
  /** Calls of that time which are no longer recorded. */
  lost: number;
  /** Calls that the draft can't be tried on, by reason. */
  not_replayed: Record<string, number>;
  now: Sums;
  draft: Sums;
  routes: { route: string; class: RouteClass; calls: number; not_replayed: number; now: Sums; draft: Sums }[];
  /** null: all callers that are not known. */
  callers: { caller: string | null; calls: number; refused_now: number; refused_draft: number }[];
  /** The lists have the same length. */
  series: { every_s: number; calls: number[]; refused_now: number[]; refused_draft: number[] };
  fidelity: { same: number; different: number; whole: boolean };
  diff: string[];
  notes: string[];
}

export type Cause = "folder" | "api" | "restore" | "revert";

export interface RevisionSummary {
  id: number;
  /** RFC 3339. */
  at: string;
  cause: Cause;
  author: string;
  from: string;
  reason: string;
  files: string[];
}

export interface RevisionList {
  revisions: RevisionSummary[];
}

export interface Revision extends Omit<RevisionSummary, "files"> {
  files: Record<string, string>;
  previous: number | null;
  diff: string[];
  /** Files that differ from the revision before, null where there was or is none. */
  changed: Record<string, { before: string | null; after: string | null }>;
}

export interface PendingReverts {
  reverts: { file: string; due_s: number; removes: boolean; by: { name: string; from: string; reason: string } }[];
}

export interface AuditLog {
  entries: { at: string; who: string; from: string; what: string; why: string; status: number }[];
}

export interface EndpointSignal {
  endpoint: string;
  signal: string;
  value: number | null;
  age_ms: number | null;
  state: SignalState;
}

export interface Upstream {
  name: string;
  in_flight: number;
  endpoints: { address: string; state: string; in_flight: number; failures: number }[];
  signals: EndpointSignal[];
  findings?: Finding[];
}

/** What the doctor found wrong with a signal. */
export interface Finding {
  id: string;
  severity: string;
  endpoint: string;
  seen: string;
  /** null: all that is read of the endpoint. */
  signal: string | null;
  meanwhile: string;
  remedy: string;
}

export interface Upstreams {
  upstreams: Upstream[];
}

export interface CacheFigures {
  entries: number;
  bytes: number;
  bytes_max: number;
  evictions: number;
  hits: number;
  misses: number;
  /** Routes that cache, or have something stored. */
  routes: Record<string, CachedRoute>;
  [field: string]: unknown;
}

export interface CachedRoute {
  entries: number;
  bytes: number;
  /** For how long the oldest answer has been stored; null: nothing is. */
  oldest_s: number | null;
  evictions: number;
}

export type Purge = { url: string } | { route: string } | { tag: string } | { group: string; origin: string } | { all: true };

export interface Purged {
  /** Answers that went, or are stale now; 0 where it was only asked. */
  purged: number;
  entries: number;
  bytes: number;
  routes: Record<string, { entries: number; bytes: number }>;
}

export type TraceKind = "refused" | "slow" | "error" | "sampled";

/** A recent call in one line. */
export interface TraceSummary {
  /** Its place in the order of keeping. */
  number: number;
  kind: TraceKind;
  trace_id: string;
  span_id: string;
  parent_id: string | null;
  at_unix_ms: number;
  duration_ms: number;
  method: string;
  path: string;
  /** null: none matched. */
  route: string | null;
  /** 0: the client left before there was one. */
  status: number;
  complete: boolean;
  caller: string | null;
  /** In shadow mode, what would have been. */
  decision: "admit" | "refuse" | "stale" | "none";
  shadow: boolean;
  /** Code of the refusal. */
  reason: string | null;
  signal: string | null;
  observed: number | null;
  threshold: number | null;
  retry_after_ms: number | null;
  upstream: string | null;
  policy_file: string | null;
  revision: number;
  cache: string | null;
  /** Why the service was asked (RFC 9211's `fwd`); null: it was not. */
  cache_fwd: string | null;
  attempts: number;
  endpoint: string | null;
}

export interface TraceList {
  /** Newest first. */
  traces: TraceSummary[];
  /** Since the start; forgotten: made room for newer ones, or was not taken. */
  kinds: Record<TraceKind, { kept: number; forgotten: number }>;
  spans_passed_over: number;
  /** Where another tool shows a trace, with `{trace_id}` for its id. */
  link: string | null;
}

/** One trace, as OTLP has it in JSON (only what is read of it). */
export interface TraceDocument {
  resourceSpans: { scopeSpans: { spans: OtlpSpan[] }[] }[];
}

export interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  flags?: number;
  name: string;
  /** 2: the call as the gateway served it; 3: a try at an endpoint. */
  kind: number;
  /** Whole numbers as text: they are too long for a number. */
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: { stringValue?: string; intValue?: string; doubleValue?: number | string } }[];
  status?: { code?: number; message?: string };
}

/** What `GET /api/v1/live` tells each second. */
export interface Tick {
  at_unix_ms: number;
  status: Status;
  /** Empty before the first policy. */
  routes: Route[];
  /** Upstreams in short: endpoints by state, how many findings. */
  upstreams: { name: string; in_flight: number; endpoints: Record<string, number>; findings: number }[];
  /** null: before the first policy. */
  functions: Functions | null;
  cache: { entries: number; bytes: number; bytes_max: number };
}

/** How far a series looks back: in seconds, in tens of seconds, in minutes. */
export type Span = "15m" | "6h" | "24h";

/** What a series is of; nothing: the whole gateway. */
export type SeriesOf = { route: string } | { upstream: string } | { function: string } | { pool: true } | Record<string, never>;

/** What was, point by point. */
export interface Series {
  /** Now, on the gateway's clock. */
  at_unix_ms: number;
  /** `nothing`: it was not called yet; `no_room`: others have all the places. */
  state: "kept" | "nothing" | "no_room";
  every_s: number;
  points: number;
  /** The last second of the newest point. */
  to_unix_s: number;
  /** By figure, the oldest point first; null: unknown. What was never known is left out, and reasons that were always zero. */
  figures: Record<string, (number | null)[]>;
}

/** The last minute of each route, second by second. */
export interface Sparks {
  at_unix_ms: number;
  /** Seconds of a point. */
  every_s: number;
  /** The last second of the newest point; of a span it may be yet to come. */
  to_unix_s: number;
  /** Calls and refusals a second, the oldest point first; null: unknown. */
  routes: Record<string, { calls: (number | null)[]; refused: (number | null)[] }>;
}
