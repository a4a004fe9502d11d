/** Thresholds as they are written and as they are drawn. Pure. */

import type { RouteField, RouteForm } from "../document/form";

export type SignalName = "rps" | "cpu" | "workers";
export const SIGNALS: SignalName[] = ["rps", "cpu", "workers"];

/** One line across a chart. */
export interface Threshold {
  kind: "limit" | "full" | "enter" | "exit";
  field: RouteField;
  /** Calls per second, or a share 0 to 1. */
  value: number;
  /** Whether the file says it; else it is what holds where nothing is written. */
  written: boolean;
}

/** Exit where only enter is written: ten points under it. */
const EXIT_UNDER = 0.1;

/** The lines of a signal in a route's draft; none where the draft does not use the signal or can't be read. */
export function thresholds(route: RouteForm, signal: SignalName): Threshold[] {
  if (signal === "rps") {
    const limit = number(route.fields.rps_limit);
    return limit === null ? [] : [{ kind: "limit", field: "rps_limit", value: limit, written: true }];
  }
  const enter = share(route.fields[`${signal}_enter`]);
  if (enter === null) return [];
  const exit = share(route.fields[`${signal}_exit`]);
  const full = signal === "workers" ? share(route.fields.workers_full) : null;
  return [
    // Drawn only where it is written: else shedding is whole where it begins.
    ...(full === null ? [] : [{ kind: "full", field: "workers_full", value: full, written: true } as const]),
    { kind: "enter", field: `${signal}_enter`, value: enter, written: true },
    { kind: "exit", field: `${signal}_exit`, value: exit ?? Math.max(0, enter - EXIT_UNDER), written: exit !== null },
  ];
}

/** Least and most that a line may be moved to, and the step of one key press. */
export function bounds(all: Threshold[], { kind }: Threshold, top: number): { min: number; max: number; step: number } {
  if (kind === "limit") return { min: 1, max: Math.max(1, Math.round(top)), step: Math.max(1, 10 ** Math.floor(Math.log10(Math.max(1, top)) - 1)) };
  const at = (name: Threshold["kind"]) => all.find((line) => line.kind === name);
  const exit = at("exit");
  // An exit that is not written follows its enter and does not hold it up.
  if (kind === "enter") return { min: Math.max(0.01, exit?.written ? exit.value : 0), max: at("full")?.value ?? 1, step: 0.01 };
  if (kind === "full") return { min: at("enter")?.value ?? 0.01, max: 1, step: 0.01 };
  return { min: 0, max: at("enter")?.value ?? 1, step: 0.01 };
}

/** A value as the file writes it: whole percents, whole calls. */
export function written(signal: SignalName, value: number): string {
  return signal === "rps" ? String(Math.max(1, Math.round(value))) : `${Math.round(value * 100)}%`;
}

/** The highest value a chart shows: a share to all of it, calls to a round number over all there is. */
export function top(signal: SignalName, values: (number | null)[], lines: Threshold[]): number {
  if (signal !== "rps") return 1;
  const most = Math.max(1, ...lines.map(({ value }) => value * 1.25), ...values.map((value) => (value ?? 0) * 1.1));
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((factor) => factor * power).find((round) => round >= most) ?? most;
}

function number(text: string | null): number | null {
  const value = Number(text ?? "");
  return text === null || text.trim() === "" || !Number.isFinite(value) || value <= 0 ? null : value;
}

/** `85%` as 0.85. */
function share(text: string | null): number | null {
  const found = /^\s*(\d+(?:\.\d+)?)\s*%\s*$/.exec(text ?? "");
  if (found === null) return null;
  const value = Number(found[1]) / 100;
  return value <= 1 ? value : null;
}
