/** The last quarter of an hour of a few routes' signals, second by second, as the gateway kept them and the page saw them. */

import type { Route, Series, Upstream } from "../../../api/types";
import { SIGNALS, type SignalName } from "./threshold";

export const WINDOW_S = 900;
/** Points kept a route; one a second, and some for a clock that is set back. */
const POINTS_MAX = 960;
/** Calls are told as the mean of as many seconds; those that were kept are drawn alike. */
const SMOOTHED_S = 5;
/** Routes kept: three numbers and a time each second are 30 KB a route. */
export const ROUTES_MAX = 64;

export interface Samples {
  /** Seconds since 1970. */
  at_s: number[];
  /** null: unknown then. */
  values: (number | null)[];
}

type Point = { at_s: number } & Record<SignalName, number | null>;

export class Window {
  readonly #routes = new Map<string, Point[]>();

  /** What the API said at a moment. */
  add(at_s: number, routes: Route[], upstreams: Upstream[]): void {
    for (const route of routes) {
      const points = this.#routes.get(route.name) ?? [];
      if (points.length === 0 && this.#routes.size >= ROUTES_MAX) continue;
      // A clock that is set back: what lies in its future is no past.
      while (points.length > 0 && points.at(-1)!.at_s >= at_s) points.pop();
      points.push({ at_s, ...Object.fromEntries(SIGNALS.map((signal) => [signal, reading(signal, route, upstreams)])) } as Point);
      while (points.length > POINTS_MAX || points[0]!.at_s < at_s - WINDOW_S) points.shift();
      this.#routes.set(route.name, points);
    }
  }

  /** What the gateway kept of a route: seconds that the page did not see. `now_s` is the page's clock. */
  fill(route: string, { at_unix_ms, every_s, points, to_unix_s, figures }: Series, now_s: number): void {
    const seen = this.#routes.get(route) ?? [];
    if (points === 0 || (seen.length === 0 && this.#routes.size >= ROUTES_MAX)) return;
    // The two clocks need not agree.
    const newest_s = to_unix_s + now_s - Math.floor(at_unix_ms / 1_000);
    const known = new Set(seen.map(({ at_s }) => at_s));
    const kept = Array.from({ length: points }, (_, index): Point => ({
      at_s: newest_s - (points - 1 - index) * every_s,
      rps: mean((figures["calls"] ?? []).slice(Math.max(0, index - SMOOTHED_S + 1), index + 1)),
      cpu: figures["signal.cpu"]?.[index] ?? null,
      workers: figures["signal.workers"]?.[index] ?? null,
    }));
    const all = [...seen, ...kept.filter(({ at_s }) => !known.has(at_s) && at_s <= now_s && at_s >= now_s - WINDOW_S)];
    this.#routes.set(route, all.sort((a, b) => a.at_s - b.at_s));
  }

  of(route: string, signal: SignalName): Samples {
    const points = this.#routes.get(route) ?? [];
    return { at_s: points.map(({ at_s }) => at_s), values: points.map((point) => point[signal]) };
  }
}

/**
 * The signal as it is compared with the route's threshold; where the running policy has none, what it would
 * be compared with: all calls of the route, or the mean of its upstream's endpoints.
 */
export function reading(signal: SignalName, route: Route, upstreams: Upstream[]): number | null {
  const own = route.signals.find((found) => found.signal === signal);
  if (own !== undefined) return own.state === "absent" ? null : own.value;
  if (signal === "rps") return route.rate;
  const upstream = upstreams.find(({ name }) => name === route.upstream);
  const values = (upstream?.signals ?? []).flatMap((found) => (found.signal === signal && found.state === "fresh" && found.value !== null ? [found.value] : []));
  return mean(values);
}

/** Of what is known. */
function mean(values: (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

export interface Minute {
  /** Its beginning, seconds since 1970. */
  at_s: number;
  mean: number;
  max: number;
}

/** A table for those who don't see the chart: minute by minute, the newest first; minutes without a value are left out. */
export function minutes({ at_s, values }: Samples): Minute[] {
  const sums = new Map<number, { sum: number; count: number; max: number }>();
  for (const [index, value] of values.entries()) {
    if (value === null) continue;
    const minute = Math.floor(at_s[index]! / 60) * 60;
    const { sum, count, max } = sums.get(minute) ?? { sum: 0, count: 0, max: value };
    sums.set(minute, { sum: sum + value, count: count + 1, max: Math.max(max, value) });
  }
  return [...sums].map(([at, { sum, count, max }]) => ({ at_s: at, mean: sum / count, max })).sort((a, b) => b.at_s - a.at_s);
}
