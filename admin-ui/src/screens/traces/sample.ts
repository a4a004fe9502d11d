/** Traces as the admin API gives them, for tests. */

import type { OtlpSpan, TraceDocument, TraceList, TraceSummary } from "../../api/types";

export const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";

export function summary(number: number, other: Partial<TraceSummary> = {}): TraceSummary {
  return {
    number,
    kind: "refused",
    trace_id: TRACE_ID,
    span_id: "00f067aa0ba902b7",
    parent_id: null,
    at_unix_ms: 1_700_000_000_000,
    duration_ms: 0.4,
    method: "POST",
    path: "/mail/receive/7",
    route: "mail-receive",
    status: 429,
    complete: true,
    caller: null,
    decision: "refuse",
    shadow: false,
    reason: "workers_over",
    signal: "workers",
    observed: 0.91,
    threshold: 0.85,
    retry_after_ms: 1_950,
    upstream: "mailbox",
    policy_file: "mail.yaml",
    revision: 12,
    cache: null,
    cache_fwd: null,
    attempts: 0,
    endpoint: null,
    ...other,
  };
}

export function list(traces: TraceSummary[], other: Partial<TraceList> = {}): TraceList {
  const figures = { kept: traces.length, forgotten: 3 };
  return {
    traces,
    kinds: { refused: figures, slow: figures, error: figures, sampled: figures },
    spans_passed_over: 0,
    link: "http://127.0.0.1:16686/trace/{trace_id}",
    ...other,
  };
}

type Values = Record<string, string | number>;

/** A span from `from` to `to`, ms after its trace began. */
export function span(spanId: string, from: number, to: number, values: Values = {}, other: Partial<OtlpSpan> = {}): OtlpSpan {
  const at = (ms: number) => String(1_700_000_000_000_000_000n + BigInt(Math.round(ms * 1e6)));
  const attributes = Object.entries(values).map(([key, value]) => ({
    key,
    value: typeof value === "string" ? { stringValue: value } : Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value },
  }));
  return {
    traceId: TRACE_ID,
    spanId,
    flags: 257,
    name: "POST mail-receive",
    kind: 2,
    startTimeUnixNano: at(from),
    endTimeUnixNano: at(to),
    attributes,
    status: {},
    ...other,
  };
}

export const document = (...spans: OtlpSpan[]): TraceDocument => ({ resourceSpans: [{ scopeSpans: [{ spans }] }] });

export const refused = span("00f067aa0ba902b7", 0, 0.4, {
  "http.route": "mail-receive",
  "http.response.status_code": 429,
  "sumun.decision": "refuse",
  "sumun.reason": "workers_over",
  "sumun.signal": "workers",
  "sumun.observed": 0.91,
  "sumun.threshold": 0.85,
  "sumun.upstream": "mailbox",
  "sumun.policy.file": "mail.yaml",
  "sumun.policy.revision": 12,
  "sumun.retry_after_ms": 1_950,
  "sumun.class": "batch",
});
