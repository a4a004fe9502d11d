import { expect, it } from "vitest";
import { route } from "./sample";
import { HEIGHT, kept as keptOf, minute, spark, Trail, TRAIL_S, WIDTH } from "./trail";

const AT_S = 1_700_000_000;
const tell = (trail: Trail, at_s: number, rate: number, refused = 0) => trail.add(at_s * 1_000, [route("a", { rate, refused: { rps_over: refused } })]);
const kept = (calls: (number | null)[], refused: (number | null)[] = calls.map(() => 0), at_s = AT_S) => ({ at_unix_ms: at_s * 1_000, every_s: 1, to_unix_s: at_s, routes: { a: { calls, refused } } });

it("goes on where the kept seconds end", () => {
  const trail = new Trail();
  expect(tell(trail, AT_S + 1, 9)).toBe(false);
  trail.fill(kept([3, 5, 7], [0, 1, 0]));
  expect(tell(trail, AT_S + 2, 8, 2)).toBe(true);
  expect(trail.of("a")).toEqual([
    { at_s: AT_S - 2, calls: 3, refused: 0 },
    { at_s: AT_S - 1, calls: 4, refused: 1 },
    { at_s: AT_S, calls: 5, refused: 0 },
    { at_s: AT_S + 1, calls: 9, refused: null },
    { at_s: AT_S + 2, calls: 8, refused: 2 },
  ]);
});

it("says that seconds are missing, and makes no needle of what was refused in them", () => {
  const trail = new Trail();
  tell(trail, AT_S, 1, 5);
  expect(tell(trail, AT_S + 30, 1, 905)).toBe(false);
  expect(tell(trail, AT_S + 29, 1, 905)).toBe(false); // the clock was set back
  expect(trail.of("a").map(({ at_s, refused }) => [at_s - AT_S, refused])).toEqual([[0, null], [29, null]]);
  expect(tell(trail, AT_S + 30, 1, 905)).toBe(true);
});

it("keeps a minute, and of routes that there are", () => {
  const trail = new Trail();
  for (let at = 0; at < 100; at += 1) tell(trail, AT_S + at, at);
  expect(trail.of("a")).toHaveLength(TRAIL_S);
  trail.add((AT_S + 100) * 1_000, [route("b")]);
  expect(trail.of("a")).toEqual([]);
});

it("lays kept seconds beside told ones though the clocks differ", () => {
  const trail = new Trail();
  tell(trail, AT_S + 3_600, 1);
  trail.fill(kept([4, 4]));
  expect(trail.of("a").map(({ at_s }) => at_s - AT_S - 3_600)).toEqual([-1, 0]);
});

it("draws from edge to edge, the highest at the top, with a gap where nothing is known", () => {
  const marks = [
    { at_s: AT_S - 59, calls: 0, refused: null },
    { at_s: AT_S - 58, calls: 10, refused: 0 },
    { at_s: AT_S - 1, calls: 5, refused: 0 },
    { at_s: AT_S, calls: null, refused: 3 },
  ];
  const { calls, refused, least, most, refusals } = spark(marks, minute(AT_S));
  expect(calls).toBe(`M0.0 ${(HEIGHT - 1).toFixed(1)}h0L2.0 1.0M118.0 ${(HEIGHT / 2).toFixed(1)}h0`);
  expect(refused).toBe(`M${WIDTH.toFixed(1)} ${HEIGHT}V21.4`); // 3 in one of two seconds
  expect([least, most, refusals]).toEqual([0, 10, 3]);
  expect(spark(marks, minute(AT_S + TRAIL_S))).toEqual({ calls: "", refused: "", least: null, most: null, refusals: 0, refusedMost: 0 });
});

it("draws hours as they were kept, with a gap where nothing is known", () => {
  const sparks = { ...kept([4, null, 8, 2], [0, null, 0.5, 0]), every_s: 180 };
  const marks = keptOf(sparks, "a");
  expect(marks.map(({ at_s, calls }) => [at_s - AT_S, calls])).toEqual([[-540, 4], [-360, null], [-180, 8], [0, 2]]);
  expect(keptOf(sparks, "b")).toEqual([]);
  const { calls, refused, least, most, refusedMost } = spark(marks, { to_s: AT_S, span_s: 720, every_s: 180 });
  expect(calls).toBe(`M0.0 13.0h0M80.0 1.0h0L${WIDTH.toFixed(1)} 19.0`);
  expect(refused).toBe(`M80.0 ${HEIGHT}V23.5`);
  expect([least, most, refusedMost]).toEqual([2, 8, 0.5]);
});
