import { expect, it } from "vitest";
import { decision, reading, seconds } from "./decision";
import { address, isFiltered, query } from "./filters";
import { document, refused, span, TRACE_ID } from "./sample";
import { attribute, figure, ROWS_MAX, traceparent, waterfall } from "./waterfall";

it("takes from the address what filters, and nothing else", () => {
  const search = new URLSearchParams("kind=refused&route=+&caller=web%20front&colour=red&min_ms=5");
  expect(query(search)).toBe("kind=refused&caller=web+front&min_ms=5");
  expect(query(search, { limit: "50" })).toBe("kind=refused&caller=web+front&min_ms=5&limit=50");
  expect(address(TRACE_ID, search)).toBe(`/traces/${TRACE_ID}?kind=refused&caller=web+front&min_ms=5`);
  expect(address(null, new URLSearchParams("colour=red"))).toBe("/traces");
  expect([isFiltered(search), isFiltered(new URLSearchParams("colour=red"))]).toEqual([true, false]);
});

it("draws children under their parents, by time, as shares of the whole", () => {
  const server = span("a", 0, 100, {}, { parentSpanId: "elsewhere" });
  const first = span("b", 10, 20, {}, { parentSpanId: "a", kind: 3, status: { code: 2 } });
  const second = span("c", 20, 100, {}, { parentSpanId: "a", kind: 3 });
  const inner = span("d", 30, 50, {}, { parentSpanId: "c" });
  const { rows, total_ms, cut } = waterfall(document(inner, second, first, server));
  expect(rows.map(({ span: { spanId }, depth }) => [spanId, depth])).toEqual([["a", 0], ["b", 1], ["c", 1], ["d", 2]]);
  expect(rows.map(({ from, width }) => [from, width])).toEqual([[0, 1], [0.1, 0.1], [0.2, 0.8], [0.3, 0.2]]);
  expect(rows.map(({ failed }) => failed)).toEqual([false, true, false, false]);
  expect([total_ms, cut]).toEqual([100, 0]);
});

it("draws nothing of nothing, a moment as a whole, and a long trace in part", () => {
  expect(waterfall(document())).toEqual({ rows: [], total_ms: 0, cut: 0 });
  expect(traceparent(waterfall(document()))).toBeNull();
  expect(waterfall(document(span("a", 0, 0))).rows[0]).toMatchObject({ from: 0, width: 1, duration_ms: 0 });
  const many = Array.from({ length: ROWS_MAX + 5 }, (_, at) => span(String(at), at, at + 1));
  expect(waterfall(document(...many))).toMatchObject({ cut: 5, rows: { length: ROWS_MAX } });
});

it("ends even where spans are each other's parents", () => {
  const [a, b] = [span("a", 0, 1, {}, { parentSpanId: "b" }), span("b", 0, 1, {}, { parentSpanId: "a" })];
  expect(waterfall(document(a, b)).rows.length).toBeLessThanOrEqual(2);
});

it("goes on with a trace as its first span has it", () => {
  const sampled = waterfall(document(span("00f067aa0ba902b7", 0, 1)));
  expect(traceparent(sampled)).toBe(`00-${TRACE_ID}-00f067aa0ba902b7-01`);
  const quiet = waterfall(document(span("00f067aa0ba902b7", 0, 1, {}, { flags: 0x100 })));
  expect(traceparent(quiet)).toBe(`00-${TRACE_ID}-00f067aa0ba902b7-00`);
});

it("reads attributes whatever their type", () => {
  const read = span("a", 0, 1, { text: "x", whole: 7, share: 0.5, odd: "" });
  expect(["text", "whole", "share", "none"].map((key) => attribute(read, key))).toEqual(["x", "7", "0.5", null]);
  expect(["text", "whole", "share", "odd", "none"].map((key) => figure(read, key))).toEqual([null, 7, 0.5, null, null]);
});

it("knows why a call was refused, and that others were not", () => {
  expect(decision(refused)).toMatchObject({
    reason: "workers_over",
    observed: 0.91,
    threshold: 0.85,
    upstream: "mailbox",
    policy_file: "mail.yaml",
    revision: 12,
    retry_after_ms: 1_950,
    shadow: false,
  });
  expect(decision(span("a", 0, 1, { "sumun.decision": "admit" }))).toBeNull();
  expect(decision(span("a", 0, 1, { "sumun.reason": "cpu_over", "sumun.mode": "shadow" }))?.shadow).toBe(true);
});

it("writes figures as people read them, and never sends anybody back too soon", () => {
  expect([reading("workers", 0.914, "en"), reading("rps", 500, "en"), reading("concurrency", 300, "en")]).toEqual(["91.4%", "500", "300"]);
  expect([seconds(1_950, "en"), seconds(2_001, "en"), seconds(1, "en")]).toEqual(["2.0", "2.1", "0.1"]);
});
