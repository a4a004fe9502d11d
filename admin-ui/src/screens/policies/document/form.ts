/** What the form shows of a policy file: routes and functions with the fields people turn most. Pure. */

import { isMap, isScalar, parseDocument, type YAMLMap } from "yaml";
import { applied, edit, valueAt, type Edit, type Path } from "./edit";

/** Where each field stands below its route. */
export const ROUTE_FIELDS = {
  class: ["class"],
  mode: ["admission", "mode"],
  on_stale: ["admission", "on_stale"],
  rps_limit: ["admission", "rps", "limit"],
  rps_burst: ["admission", "rps", "burst"],
  rps_per: ["admission", "rps", "per"],
  cpu_of: ["admission", "cpu", "of"],
  cpu_enter: ["admission", "cpu", "enter"],
  cpu_exit: ["admission", "cpu", "exit"],
  workers_enter: ["admission", "workers", "enter"],
  workers_exit: ["admission", "workers", "exit"],
  workers_full: ["admission", "workers", "full"],
  workers_wait: ["admission", "workers", "wait"],
  fresh_for: ["cache", "fresh_for"],
} as const satisfies Record<string, Path>;

export type RouteField = keyof typeof ROUTE_FIELDS;

/** What each choice may say; the first is what holds where nothing is written. */
export const CHOICES = {
  class: ["interactive", "default", "batch", "bulk"],
  mode: ["enforce", "shadow", "off"],
  on_stale: ["proven", "open", "closed"],
  rps_per: ["route", "caller"],
  cpu_of: ["upstream", "gateway"],
} as const satisfies Partial<Record<RouteField, readonly string[]>>;

/** How policies are usually written; new keys go to their place in it. */
const ORDER = [
  "match", "function", "upstream", "class", "admission", "cache",
  "mode", "rps", "cpu", "workers", "on_stale",
  "of", "limit", "burst", "per", "enter", "exit", "full", "wait",
  "reserved",
];

/** An empty `cache` means the cache by RFC 9111. */
const KEEP = ["cache"];

export interface RouteForm {
  name: string;
  function: string | null;
  upstream: string | null;
  methods: string;
  path: string;
  /** Whether the route caches, whatever is written below `cache`. */
  caches: boolean;
  /** As written; null: not written. */
  fields: Record<RouteField, string | null>;
}

export interface FunctionForm {
  name: string;
  upstream: string | null;
  reserved: string | null;
}

export interface PolicyForm {
  routes: RouteForm[];
  functions: FunctionForm[];
}

/** The form of a text; null where it is not YAML that can be shown as one. */
export function formOf(text: string): PolicyForm | null {
  const document = parseDocument(text);
  if (document.errors.length > 0) return null;
  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) return { routes: [], functions: [] };
  if (!isMap(root)) return null;
  return {
    routes: tables(root as YAMLMap, "routes").map(([name, map]) => routeOf(name, map)),
    functions: tables(root as YAMLMap, "functions").map(([name, map]) => ({
      name,
      upstream: valueAt(map, ["upstream"]),
      reserved: valueAt(map, ["reserved"]),
    })),
  };
}

/** What makes a route's field say `value`; null or nothing: not written. */
export function setRoute(text: string, route: string, field: RouteField, value: string | null): Edit | null {
  return edit(text, ["routes", route, ...ROUTE_FIELDS[field]], value === "" ? null : value, { order: ORDER, keep: KEEP });
}

export function setReserved(text: string, name: string, reserved: string | null): Edit | null {
  return edit(text, ["functions", name, "reserved"], reserved === "" ? null : reserved, { order: ORDER });
}

/** What makes a route go without a signal's threshold. */
export function dropSignal(text: string, route: string, signal: "rps" | "cpu" | "workers"): Edit | null {
  return edit(text, ["routes", route, "admission", signal], null, { keep: KEEP });
}

/** Routes with thresholds whose admission, class or match differs between two texts: those a mode can be tried on. */
export function touched(before: string, after: string): string[] {
  const [old, now] = [formOf(before), formOf(after)];
  if (now === null) return [];
  const told = (route: RouteForm | undefined) => JSON.stringify(route ?? null);
  return now.routes
    .filter(({ fields }) => fields.rps_limit !== null || fields.cpu_enter !== null || fields.workers_enter !== null)
    .filter((route) => told(route) !== told(old?.routes.find(({ name }) => name === route.name)))
    .map(({ name }) => name);
}

/** The text with `mode` on all of these routes. */
export function withMode(text: string, routes: string[], mode: "enforce" | "shadow"): string {
  return routes.reduce((before, name) => {
    const present = formOf(before)?.routes.find((route) => route.name === name)?.fields.mode ?? "enforce";
    if (present === mode) return before;
    const made = setRoute(before, name, "mode", mode);
    return made === null ? before : applied(before, made);
  }, text);
}

function tables(root: YAMLMap, name: string): [string, YAMLMap][] {
  const map = root.items.find(({ key }) => isScalar(key) && key.value === name)?.value;
  if (!isMap(map)) return [];
  return map.items.flatMap(({ key, value }) => (isScalar(key) && isMap(value) ? [[String(key.value), value as YAMLMap] as [string, YAMLMap]] : []));
}

function routeOf(name: string, map: YAMLMap): RouteForm {
  const fields = Object.fromEntries(Object.entries(ROUTE_FIELDS).map(([field, path]) => [field, valueAt(map, path)])) as Record<RouteField, string | null>;
  const methods = map.getIn(["match", "methods"]) as { toJSON?: () => unknown } | undefined;
  const listed = methods?.toJSON?.();
  return {
    name,
    function: valueAt(map, ["function"]),
    upstream: valueAt(map, ["upstream"]),
    methods: Array.isArray(listed) ? listed.join(" ") : "",
    path: valueAt(map, ["match", "path"]) ?? "",
    caches: map.has("cache"),
    fields,
  };
}
