/** What the table of routes shows, made from the API's answer. Pure. */

import type { Route, Signal } from "../../api/types";
import { share } from "../../lib/share";

export interface Row {
  route: Route;
  /** All refusals since the start. */
  refused: number;
  /** Reasons with their counts, the most frequent first; zeros left out. */
  reasons: [reason: string, count: number][];
  /** What would have been refused in shadow mode. */
  shadow: number;
  /** Whether there were refusals since the answer before this one. */
  refusing: boolean;
  /** Share of answers from the cache; null where the route does not cache or nothing was asked yet. */
  hits: number | null;
  cached: boolean;
  /** In flight as a share of the limit, 0 to 1; null without a limit. */
  load: number | null;
}

const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((all, one) => all + one, 0);

/** Rows with the most refused first; ties by name, so that rows do not jump. */
export function rows(routes: Route[], before: Route[] | null): Row[] {
  const refusedBefore = new Map((before ?? []).map((route) => [route.name, sum(route.refused)]));
  return routes
    .map((route) => row(route, refusedBefore.get(route.name)))
    .sort((a, b) => b.refused - a.refused || a.route.name.localeCompare(b.route.name));
}

function row(route: Route, refusedBefore: number | undefined): Row {
  const refused = sum(route.refused);
  const asked = sum(route.cache);
  return {
    route,
    refused,
    reasons: Object.entries(route.refused)
      .filter(([, count]) => count > 0)
      .sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])),
    shadow: sum(route.shadow_refused),
    refusing: refusedBefore !== undefined && refused > refusedBefore,
    hits: asked > 0 ? (route.cache["hit"] ?? 0) / asked : null,
    cached: Object.keys(route.cache).length > 0,
    load: route.limit === null ? null : share(route.in_flight, route.limit),
  };
}

/** Whether a signal is over the bound at which shedding begins. */
export function over(signal: Signal): boolean {
  return signal.value !== null && signal.threshold !== null && signal.value > signal.threshold.enter;
}
