/** From OTLP to what is drawn: spans as rows of a tree, each with its place in time. Pure. */

import type { OtlpSpan, TraceDocument } from "../../api/types";

/** Spans of one trace that are drawn; a trace of more is cut, and says so. */
export const ROWS_MAX = 200;

export interface Row {
  span: OtlpSpan;
  /** 0: nothing of this trace is above it. */
  depth: number;
  /** Since the first span began. */
  start_ms: number;
  duration_ms: number;
  /** Of the whole time, 0 to 1. */
  from: number;
  width: number;
  failed: boolean;
}

export interface Waterfall {
  rows: Row[];
  total_ms: number;
  /** Spans that are not drawn. */
  cut: number;
}

/** OTLP's status code of a failure. */
const FAILED = 2;

/** A span's attribute as text; null: it has none. */
export function attribute(span: OtlpSpan, key: string): string | null {
  const value = span.attributes.find((pair) => pair.key === key)?.value;
  if (value === undefined) return null;
  return value.stringValue ?? value.intValue ?? (value.doubleValue === undefined ? null : String(value.doubleValue));
}

/** A span's attribute as a number; null: it has none. */
export function figure(span: OtlpSpan, key: string): number | null {
  const text = attribute(span, key);
  const number = text === null || text === "" ? Number.NaN : Number(text);
  return Number.isFinite(number) ? number : null;
}

/** Every span of a document. */
export function spansOf(document: TraceDocument): OtlpSpan[] {
  return document.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
}

/** Parents before their children, each generation by time. */
function inOrder(spans: OtlpSpan[]): { span: OtlpSpan; depth: number }[] {
  const begin = (span: OtlpSpan) => BigInt(span.startTimeUnixNano);
  const sorted = [...spans].sort((a, b) => (begin(a) < begin(b) ? -1 : begin(a) > begin(b) ? 1 : 0));
  const known = new Set(spans.map(({ spanId }) => spanId));
  const children = new Map<string, OtlpSpan[]>();
  for (const span of sorted) {
    // A parent in another process is not here: its child begins a tree of its own.
    const parent = span.parentSpanId !== undefined && known.has(span.parentSpanId) ? span.parentSpanId : "";
    children.set(parent, [...(children.get(parent) ?? []), span]);
  }
  const rows: { span: OtlpSpan; depth: number }[] = [];
  const open = (children.get("") ?? []).map((span) => ({ span, depth: 0 })).reverse();
  const seen = new Set<OtlpSpan>();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next.span)) continue;
    seen.add(next.span);
    rows.push(next);
    const depth = next.depth + 1;
    open.push(...(children.get(next.span.spanId) ?? []).map((span) => ({ span, depth })).reverse());
  }
  return rows;
}

export function waterfall(document: TraceDocument): Waterfall {
  const spans = spansOf(document);
  if (spans.length === 0) return { rows: [], total_ms: 0, cut: 0 };
  const first = spans.map((span) => BigInt(span.startTimeUnixNano)).reduce((a, b) => (a < b ? a : b));
  // Nanoseconds since 1970 don't fit a number; those since the first span do.
  const since_ms = (time: string) => Number(BigInt(time) - first) / 1e6;
  const total_ms = Math.max(...spans.map((span) => since_ms(span.endTimeUnixNano)));
  const share = (ms: number) => (total_ms > 0 ? Math.min(1, Math.max(0, ms / total_ms)) : 0);
  const rows = inOrder(spans).map(({ span, depth }) => {
    const start_ms = since_ms(span.startTimeUnixNano);
    const duration_ms = Math.max(0, since_ms(span.endTimeUnixNano) - start_ms);
    const from = share(start_ms);
    const width = total_ms > 0 ? Math.min(share(duration_ms), 1 - from) : 1;
    return { span, depth, start_ms, duration_ms, from, width, failed: span.status?.code === FAILED };
  });
  return { rows: rows.slice(0, ROWS_MAX), total_ms, cut: Math.max(0, rows.length - ROWS_MAX) };
}

/** The header with which somebody goes on with this trace (W3C Trace Context); null: nothing of it is ours. */
export function traceparent({ rows }: Waterfall): string | null {
  const span = rows[0]?.span;
  if (span === undefined) return null;
  return `00-${span.traceId}-${span.spanId}-0${(span.flags ?? 0) & 1}`;
}
