import { expect, it } from "vitest";
import type { Signal, Upstream } from "../../../api/types";
import { route } from "../../now/sample";
import { formOf } from "../document/form";
import { bounds, thresholds, top, written } from "./threshold";
import { minutes, reading, ROUTES_MAX, Window, WINDOW_S } from "./window";

const draft = (admission: string) => formOf(`routes:\n  a:\n    match: { path: / }\n    admission: ${admission}\n`)!.routes[0]!;

it("draws what is written, and the exit that holds where none is", () => {
  expect(thresholds(draft("{ workers: { enter: 85%, exit: 60% } }"), "workers").map(({ kind, value, written }) => [kind, value, written])).toEqual([
    ["enter", 0.85, true],
    ["exit", 0.6, true],
  ]);
  const [, exit] = thresholds(draft("{ cpu: { enter: 80% } }"), "cpu");
  expect(exit).toMatchObject({ kind: "exit", field: "cpu_exit", written: false });
  expect(exit!.value).toBeCloseTo(0.7);
  expect(thresholds(draft("{ rps: { limit: 0.5 } }"), "rps")).toMatchObject([{ kind: "limit", value: 0.5 }]);
});

it("draws nothing of what can't be read", () => {
  for (const admission of ["{ workers: { enter: 850% } }", "{ workers: { enter: high } }", "{ rps: { limit: -3 } }", "{ rps: { burst: 3 } }", "{}"]) {
    expect(thresholds(draft(admission), "workers").concat(thresholds(draft(admission), "rps")), admission).toEqual([]);
  }
});

it("lets no line cross the other, and writes whole percents", () => {
  const lines = thresholds(draft("{ workers: { enter: 85%, exit: 75% } }"), "workers");
  expect(bounds(lines, lines[0]!, 1)).toEqual({ min: 0.75, max: 1, step: 0.01 });
  expect(bounds(lines, lines[1]!, 1)).toEqual({ min: 0, max: 0.85, step: 0.01 });
  const ramp = thresholds(draft("{ workers: { enter: 85%, exit: 75%, full: 95% } }"), "workers");
  expect(ramp.map(({ kind }) => kind)).toEqual(["full", "enter", "exit"]);
  expect(bounds(ramp, ramp[0]!, 1)).toEqual({ min: 0.85, max: 1, step: 0.01 });
  expect(bounds(ramp, ramp[1]!, 1)).toEqual({ min: 0.75, max: 0.95, step: 0.01 });
  const alone = thresholds(draft("{ workers: { enter: 85% } }"), "workers");
  expect(bounds(alone, alone[0]!, 1).min).toBe(0.01);
  expect(written("workers", 0.8549)).toBe("85%");
  expect(written("rps", 0.2)).toBe("1");
  const limit = thresholds(draft("{ rps: { limit: 200 } }"), "rps");
  expect(bounds(limit, limit[0]!, 300)).toEqual({ min: 1, max: 300, step: 10 });
});

it("shows calls up to a round number over all there is, and shares up to all", () => {
  expect(top("rps", [10, null, 140], thresholds(draft("{ rps: { limit: 200 } }"), "rps"))).toBe(300);
  expect(top("rps", [], [])).toBe(1);
  expect(top("cpu", [0.2], [])).toBe(1);
});

it("keeps a quarter of an hour of a bounded number of routes", () => {
  const window = new Window();
  const many = Array.from({ length: ROUTES_MAX + 5 }, (_, at) => route(`r${at}`, { rate: at }));
  for (let at = 0; at <= WINDOW_S + 50; at += 1) window.add(at, many, []);
  expect(window.of("r3", "rps").at_s).toHaveLength(WINDOW_S + 1);
  expect(window.of("r3", "rps").values.at(-1)).toBe(3);
  expect(window.of(`r${ROUTES_MAX}`, "rps").values).toEqual([]);
  window.add(100, many, []); // the clock was set back
  expect(window.of("r3", "rps").at_s.at(-1)).toBe(100);
});

it("begins with what the gateway kept, by the page's own clock", () => {
  const window = new Window();
  window.add(1_010, [route("a", { rate: 7 })], []);
  const figures = { calls: [2, 4, null, 100], "signal.cpu": [0.1, null, 0.3, 0.4] };
  const series = { at_unix_ms: 5_012_345, state: "kept" as const, every_s: 1, points: 4, to_unix_s: 5_010, figures };
  window.fill("a", series, 1_012); // the gateway's clock is 4,000 s ahead
  const { at_s, values } = window.of("a", "rps");
  expect(at_s).toEqual([1_007, 1_008, 1_009, 1_010]);
  expect(values).toEqual([2, 3, 3, 7]); // the mean of five seconds, and what the page saw itself
  expect(window.of("a", "cpu").values).toEqual([0.1, null, 0.3, null]);
  expect(window.of("a", "workers").values).toEqual([null, null, null, null]);
  window.add(1_011, [route("a", { rate: 8 })], []);
  expect(window.of("a", "rps").at_s).toHaveLength(5);
  window.fill("b", { ...series, state: "nothing", points: 0, figures: {} }, 1_012);
  expect(window.of("b", "rps").at_s).toEqual([]);
});

it("reads what the route is compared with, else what it would be", () => {
  const signal = (value: number | null, state: Signal["state"] = "fresh"): Signal => ({ signal: "workers", value, age_ms: 1, state, threshold: null });
  const endpoint = (value: number) => ({ endpoint: "a", signal: "workers", value, age_ms: 1, state: "fresh" as const });
  const upstream: Upstream = { name: "mailbox", in_flight: 0, endpoints: [], signals: [endpoint(0.5), endpoint(0.7), { ...endpoint(1), state: "stale" }] };
  expect(reading("workers", route("a", { signals: [signal(0.9)] }), [upstream])).toBe(0.9);
  expect(reading("workers", route("a", { signals: [signal(null, "absent")] }), [upstream])).toBeNull();
  expect(reading("workers", route("a"), [upstream])).toBeCloseTo(0.6);
  expect(reading("cpu", route("a"), [upstream])).toBeNull();
  expect(reading("rps", route("a", { rate: 12 }), [])).toBe(12);
});

it("tells the minutes, the newest first", () => {
  expect(minutes({ at_s: [59, 60, 61, 130], values: [9, 1, 3, null] })).toEqual([
    { at_s: 60, mean: 2, max: 3 },
    { at_s: 0, mean: 9, max: 9 },
  ]);
});
