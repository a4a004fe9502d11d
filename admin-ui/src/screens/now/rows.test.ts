import { describe, expect, it } from "vitest";
import { over, rows } from "./rows";
import { route } from "./sample";

describe("rows", () => {
  it("puts the most refused first and breaks ties by name", () => {
    const table = rows(
      [route("b"), route("c", { refused: { rps_over: 2, workers_over: 5 } }), route("a"), route("d", { refused: { quota_full: 1 } })],
      null,
    );
    expect(table.map((row) => row.route.name)).toEqual(["c", "d", "a", "b"]);
    expect(table[0]?.refused).toBe(7);
    expect(table[0]?.reasons).toEqual([["workers_over", 5], ["rps_over", 2]]);
  });

  it("marks a route that refused since the answer before, and only then", () => {
    const then = [route("a", { refused: { rps_over: 2 } }), route("b", { refused: { rps_over: 2 } })];
    const now = [route("a", { refused: { rps_over: 3 } }), ...then.slice(1), route("new", { refused: { rps_over: 9 } })];
    const refusing = rows(now, then).filter((row) => row.refusing);
    expect(refusing.map((row) => row.route.name)).toEqual(["a"]);
    expect(rows(now, null).some((row) => row.refusing)).toBe(false);
  });

  it("gives a hit ratio only where something was asked of a cache", () => {
    const ratio = (cache: Record<string, number>) => rows([route("a", { cache })], null)[0]?.hits;
    expect(ratio({ hit: 3, miss: 1 })).toBe(0.75);
    expect(ratio({ miss: 4 })).toBe(0);
    expect(ratio({ hit: 0, miss: 0 })).toBeNull();
    expect(ratio({})).toBeNull();
  });

  it("has no load without a limit, and is full at a limit of nothing", () => {
    const load = (in_flight: number, limit: number | null) => rows([route("a", { in_flight, limit })], null)[0]?.load;
    expect(load(17, 34)).toBe(0.5);
    expect(load(40, 34)).toBe(1);
    expect(load(1, 0)).toBe(1);
    expect(load(0, 0)).toBe(0);
    expect(load(9, null)).toBeNull();
  });
});

describe("over", () => {
  const signal = { signal: "workers", age_ms: 200, state: "fresh" as const, threshold: { enter: 0.85, exit: 0.75 } };
  it("begins above the bound, not at it", () => {
    expect(over({ ...signal, value: 0.851 })).toBe(true);
    expect(over({ ...signal, value: 0.85 })).toBe(false);
  });
  it("is never said of what is unknown", () => {
    expect(over({ ...signal, value: null })).toBe(false);
    expect(over({ ...signal, value: 0.99, threshold: null })).toBe(false);
  });
});
