/** A preview in figures and lines. Pure. */

import type { Preview } from "../../api/types";

/** Routes whose refusals differ or are some at all, those with the greatest difference first. */
export function changes({ routes }: Preview): Preview["routes"] {
  const differs = (row: Preview["routes"][number]) => Math.abs(row.draft.refused - row.now.refused);
  return routes
    .filter((row) => row.draft.refused > 0 || row.now.refused > 0)
    .sort((a, b) => differs(b) - differs(a) || b.draft.refused - a.draft.refused || a.route.localeCompare(b.route));
}

/** A small share is not nothing: one decimal under ten percent. */
export function share(part: number, whole: number, language: string): string {
  if (whole <= 0) return "–";
  const digits = part > 0 && part / whole < 0.1 ? 1 : 0;
  return new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: digits }).format(part / whole);
}

/** The line of a series in a field of 300 × 40, on the scale that all its refusals share. */
export function path(values: number[], { refused_now, refused_draft }: Preview["series"]): string {
  const most = Math.max(1, ...refused_now, ...refused_draft);
  const step = 300 / Math.max(1, values.length - 1);
  return values.map((value, at) => `${at === 0 ? "M" : "L"}${(at * step).toFixed(1)} ${(39 - (38 * value) / most).toFixed(1)}`).join("");
}
