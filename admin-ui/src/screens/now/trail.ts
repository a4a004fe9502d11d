/**
 * What was of every route, for sparklines: the last minute, of what the gateway kept and from then on of what was
 * told; or hours, as the gateway kept them. Pure.
 */

import type { Route, Sparks } from "../../api/types";

export const TRAIL_S = 60;

/** How far back the lines go. */
export const RANGES = ["live", "6h", "24h"] as const;
export type Range = (typeof RANGES)[number];
export const SPAN_S: Record<Range, number> = { live: TRAIL_S, "6h": 6 * 3_600, "24h": 24 * 3_600 };

/** The rate that is told is that of the last five seconds; what was kept is drawn alike. */
const SMOOTHED_S = 5;
/** Refusals are the difference of two counts; over a longer gap they would be one tall needle. */
const GAP_S_MAX = 3;

/** Two readings of one clock are not further apart; two clocks may be. */
const CLOCKS_MS = 5_000;

/** One point, a second where nothing else is said; null: unknown. */
export interface Mark {
  at_s: number;
  /** A second. */
  calls: number | null;
  refused: number | null;
}

/** Where a line begins and ends, and how long each of its points is. */
export interface Extent {
  to_s: number;
  span_s: number;
  every_s: number;
}

export const minute = (to_s: number): Extent => ({ to_s, span_s: TRAIL_S, every_s: 1 });

/** Hours of a route as they were kept. */
export function kept({ to_unix_s, every_s, routes }: Sparks, route: string): Mark[] {
  const { calls, refused } = routes[route] ?? { calls: [], refused: [] };
  return calls.map((count, index) => ({ at_s: to_unix_s - (calls.length - 1 - index) * every_s, calls: count, refused: refused[index] ?? null }));
}

const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((all, one) => all + one, 0);

export class Trail {
  readonly #routes = new Map<string, Mark[]>();
  /** Refusals since the start, by route, when they were last told. */
  #refused = new Map<string, number>();
  #at_ms: number | null = null;

  /** Fills what lies before the first mark that was told. */
  fill({ at_unix_ms, to_unix_s: theirs_s, routes }: Sparks): void {
    // What is told may have the page's time, what was kept has the gateway's.
    const apart_ms = (this.#at_ms ?? at_unix_ms) - at_unix_ms;
    const to_unix_s = theirs_s + (Math.abs(apart_ms) > CLOCKS_MS ? Math.round(apart_ms / 1_000) : 0);
    for (const [name, { calls, refused }] of Object.entries(routes)) {
      const kept = calls.map((_, index): Mark => {
        const lately = calls.slice(Math.max(0, index - SMOOTHED_S + 1), index + 1).filter((count) => count !== null);
        const mean = lately.length === 0 ? null : lately.reduce((all, one) => all + one, 0) / lately.length;
        return { at_s: to_unix_s - calls.length + 1 + index, calls: mean, refused: refused[index] ?? null };
      });
      const told = (this.#routes.get(name) ?? []).filter(({ at_s }) => at_s > to_unix_s);
      this.#routes.set(name, [...kept, ...told]);
    }
  }

  /** What was told at a moment; whether it follows on what was told before, without a gap. */
  add(at_unix_ms: number, routes: Route[]): boolean {
    const elapsed_s = this.#at_ms === null ? Infinity : (at_unix_ms - this.#at_ms) / 1_000;
    const follows = elapsed_s > 0 && elapsed_s <= GAP_S_MAX;
    const at_s = Math.floor(at_unix_ms / 1_000);
    const refused = new Map(routes.map((route) => [route.name, sum(route.refused)]));
    for (const name of this.#routes.keys()) if (!refused.has(name)) this.#routes.delete(name);
    for (const route of routes) {
      const before = follows ? this.#refused.get(route.name) : undefined;
      const since = before === undefined ? null : Math.max(0, (refused.get(route.name) ?? 0) - before) / elapsed_s;
      // Neither the same second twice, nor a future after a clock that was set back.
      const marks = (this.#routes.get(route.name) ?? []).filter((mark) => mark.at_s < at_s && mark.at_s > at_s - TRAIL_S);
      marks.push({ at_s, calls: route.rate, refused: since });
      this.#routes.set(route.name, marks);
    }
    this.#refused = refused;
    this.#at_ms = at_unix_ms;
    return follows;
  }

  of(route: string): Mark[] {
    return this.#routes.get(route) ?? [];
  }
}

/** The size that a sparkline is drawn in. */
export const WIDTH = 120;
export const HEIGHT = 26;

/** A drawing: the line of calls, the needles of refusals, and what they say in numbers. */
export interface Spark {
  calls: string;
  refused: string;
  /** Calls a second; null: nothing is known. */
  least: number | null;
  most: number | null;
  /** Calls that were refused, where a point is a second: of a longer one not all need be known. */
  refusals: number;
  /** The most that were refused, a second. */
  refusedMost: number;
}

/** What is drawn: all of the extent from edge to edge, its highest value at the top. */
export function spark(marks: Mark[], { to_s, span_s, every_s }: Extent): Spark {
  const shown = marks.filter(({ at_s }) => at_s > to_s - span_s && at_s <= to_s);
  const known = shown.flatMap(({ calls }) => (calls === null ? [] : [calls]));
  const refusals = shown.reduce((all, { refused }) => all + (refused ?? 0), 0);
  const top = Math.max(1, ...known);
  const x = (at_s: number): string => (((at_s - to_s + span_s - every_s) / (span_s - every_s)) * WIDTH).toFixed(1);
  const y = (value: number): string => (HEIGHT - 1 - Math.min(1, value / top) * (HEIGHT - 2)).toFixed(1);
  let line = "";
  let last_s: number | null = null;
  for (const { at_s, calls } of shown) {
    if (calls === null) continue;
    const follows = last_s !== null && at_s - last_s <= Math.max(GAP_S_MAX, every_s);
    // A point alone is a dot: a line of no length with round ends.
    line += follows ? `L${x(at_s)} ${y(calls)}` : `M${x(at_s)} ${y(calls)}h0`;
    last_s = at_s;
  }
  // Drawn like the calls: a needle over the line would say that more were refused than called.
  const lately = (at: number): number => {
    const near = shown.slice(Math.max(0, at - SMOOTHED_S + 1), at + 1).flatMap(({ at_s, refused }) => (refused === null || at_s <= shown[at]!.at_s - SMOOTHED_S ? [] : [refused]));
    return near.length === 0 ? 0 : near.reduce((all, one) => all + one, 0) / near.length;
  };
  const needles = shown.map(({ at_s }, at) => (lately(at) === 0 ? "" : `M${x(at_s)} ${HEIGHT}V${y(lately(at))}`));
  return {
    calls: line,
    refused: needles.join(""),
    least: known.length === 0 ? null : Math.min(...known),
    most: known.length === 0 ? null : Math.max(...known),
    refusals: Math.round(refusals),
    refusedMost: Math.max(0, ...shown.map(({ refused }) => refused ?? 0)),
  };
}
