import { expect, it } from "vitest";
import { parse } from "yaml";
import { applied, NotEditable, valueAt } from "./edit";
import { dropSignal, formOf, ROUTE_FIELDS, setReserved, setRoute, touched, withMode, type PolicyForm, type RouteField } from "./form";
import { file, numbers } from "./sample";

const FILES = 1_000;
const FIELDS = Object.keys(ROUTE_FIELDS) as RouteField[];
const OTHER: Record<RouteField, string> = {
  class: "bulk", mode: "off", on_stale: "closed", rps_limit: "77", rps_burst: "7", rps_per: "route", cpu_of: "gateway",
  cpu_enter: "61%", cpu_exit: "51%", workers_enter: "62%", workers_exit: "52%", workers_full: "95%", workers_wait: "20ms", fresh_for: "9s",
};

const form = (text: string): PolicyForm => {
  const read = formOf(text);
  expect(read, text).not.toBeNull();
  return read!;
};

/** What a text means, with one value changed. */
function meaning(text: string, path: string[], value: string | null): unknown {
  const whole = parse(text) as Record<string, unknown>;
  if (path.length === 0) return whole;
  const at = path.slice(0, -1).reduce<Record<string, unknown>>((inner, name) => (inner[name] ??= {}) as Record<string, unknown>, whole);
  if (value === null) delete at[path.at(-1)!];
  else at[path.at(-1)!] = parse(value);
  return whole;
}

/** Lines of `before` that are not in `after` and the other way round, as a multiset. */
function changed(before: string, after: string): { gone: string[]; come: string[] } {
  const [a, b] = [before.split("\n"), after.split("\n")];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  return { gone: a.slice(start, a.length - end), come: b.slice(start, b.length - end) };
}

it("saving what the form shows changes no byte of any of 1,000 files", () => {
  let fields = 0;
  for (let seed = 1; seed <= FILES; seed += 1) {
    const text = file(seed);
    const { routes, functions } = form(text);
    // One route of each file: all layouts are met, and each field is a parse.
    const route = routes[seed % routes.length]!;
    for (const field of FIELDS) {
      fields += 1;
      expect(setRoute(text, route.name, field, route.fields[field]), `seed ${seed}, ${route.name}, ${field}`).toBeNull();
    }
    for (const { name, reserved } of functions) expect(setReserved(text, name, reserved), `seed ${seed}, ${name}`).toBeNull();
  }
  expect(fields).toBe(FILES * FIELDS.length);
}, 120_000);

it("a changed field changes its own line alone, and means just that, in each of 1,000 files", () => {
  let made = 0;
  for (let seed = 1; seed <= FILES; seed += 1) {
    const random = numbers(seed ^ 0x5eed);
    const text = file(seed);
    const route = form(text).routes[Math.floor(random() * form(text).routes.length)]!;
    const field = FIELDS[Math.floor(random() * FIELDS.length)]!;
    const path = ["routes", route.name, ...ROUTE_FIELDS[field]];
    const said = `seed ${seed}, ${path.join(".")}\n${text}`;
    const wanted = route.fields[field] === OTHER[field] ? null : OTHER[field];
    const change = setRoute(text, route.name, field, wanted);
    expect(change, said).not.toBeNull();
    const after = applied(text, change!);
    made += 1;
    if (wanted !== null) {
      expect(parse(after), said).toEqual(meaning(text, path, wanted));
      const { gone, come } = changed(text, after);
      expect(gone.length, said).toBeLessThanOrEqual(1);
      expect(come.length, said).toBeLessThanOrEqual(gone.length === 0 ? 1 : 2);
    }
    expect(form(after).routes.find(({ name }) => name === route.name)!.fields[field], said).toBe(wanted);
    // And back again: the value as it was, byte for byte where only a value was replaced.
    if (wanted !== null && route.fields[field] !== null) {
      const back = applied(after, setRoute(after, route.name, field, route.fields[field])!);
      expect(back, said).toBe(text);
    }
  }
  expect(made).toBe(FILES);
}, 120_000);

it("what was not written and is added goes again without a trace where its table was there", () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const text = file(seed);
    for (const { name, fields, caches } of form(text).routes) {
      const emptied = JSON.stringify((parse(text) as { routes: Record<string, unknown> }).routes[name]).includes('"admission":{}');
      if (emptied) continue; // an empty table goes with the last key of it, also where it was empty before
      for (const field of FIELDS.filter((field) => fields[field] === null && (field !== "fresh_for" || caches))) {
        const added = applied(text, setRoute(text, name, field, OTHER[field])!);
        const removed = applied(added, setRoute(added, name, field, null)!);
        // `{}` may have become `{ }` or the other way round; nothing else differs.
        expect(removed.replace(/\{\s*\}/g, "{}").trimEnd(), `seed ${seed}, ${name}.${field}\n${text}\n----\n${added}`).toBe(text.replace(/\{\s*\}/g, "{}").trimEnd());
      }
    }
  }
}, 120_000);

const MAIL = `version: 1
# Who delivers mail
routes:
  mail:   # ours
    match: { path: /mail/** }
    upstream: mailbox
    class: batch
    admission:
      # a reason
      workers: { enter: 85%, exit: 75% }   # of 40
      rps: { limit: 200 }
    cache:
      fresh_for: 30s
functions:
  receive: { upstream: mailbox }
`;

const replaced = (from: string, to: string) => MAIL.replace(from, to);

it("writes each change where a person would", () => {
  const set = (field: RouteField, value: string | null) => applied(MAIL, setRoute(MAIL, "mail", field, value)!);
  expect(set("workers_enter", "90%")).toBe(replaced("enter: 85%", "enter: 90%"));
  expect(set("rps_burst", "40")).toBe(replaced("{ limit: 200 }", "{ limit: 200, burst: 40 }"));
  expect(set("cpu_enter", "80%")).toBe(replaced("      rps: { limit: 200 }\n", "      rps: { limit: 200 }\n      cpu: { enter: 80% }\n"));
  expect(applied(MAIL, dropSignal(MAIL, "mail", "rps")!)).toBe(replaced("      rps: { limit: 200 }\n", ""));
  expect(dropSignal(MAIL, "mail", "cpu")).toBeNull();
  expect(set("rps_limit", null)).toBe(replaced("      rps: { limit: 200 }\n", ""));
  expect(set("fresh_for", null)).toBe(replaced("    cache:\n      fresh_for: 30s\n", "    cache: {}\n"));
  expect(set("class", "bulk")).toBe(replaced("class: batch", "class: bulk"));
  expect(applied(MAIL, setReserved(MAIL, "receive", "30")!)).toBe(replaced("{ upstream: mailbox }\n", "{ upstream: mailbox, reserved: 30 }\n"));
  expect(applied(MAIL, setRoute(MAIL, "mail", "mode", "shadow")!)).toContain("rps: { limit: 200 }\n      mode: shadow\n    cache:");
});

it("makes the tables that a first threshold needs, and quotes what needs quotes", () => {
  const bare = "version: 1\nroutes:\n  a:\n    match: { path: / }\n    upstream: u\n    admission:   # later";
  const made = applied(bare, setRoute(bare, "a", "workers_enter", "85%")!);
  expect(parse(made)).toMatchObject({ routes: { a: { admission: { workers: { enter: "85%" } } } } });
  expect(made).toContain("# later");
  const odd = applied(MAIL, setRoute(MAIL, "mail", "fresh_for", "1s, # no")!);
  expect(odd).toContain('fresh_for: "1s, # no"');
});

it("refuses what it could only change by touching more", () => {
  const shared = "routes:\n  a: { admission: &x { rps: { limit: 1 } } }\n  b: { admission: *x }\n";
  expect(() => setRoute(shared, "b", "rps_limit", "2")).toThrow(NotEditable);
  expect(() => setRoute("routes: [", "b", "class", "bulk")).toThrow(NotEditable);
  expect(() => setRoute("routes:\n  a:\n    class: |\n      batch\n", "a", "class", "bulk")).toThrow(NotEditable);
  expect(() => setRoute("a: 1\n---\nb: 2\n", "a", "class", "bulk")).toThrow(NotEditable);
  expect(formOf("routes: [")).toBeNull();
  expect(formOf("")).toEqual({ routes: [], functions: [] });
  expect(valueAt(null, ["a"])).toBeNull();
});

it("tries a mode on the routes that a draft touches, and on no other", () => {
  const draft = replaced("enter: 85%", "enter: 80%");
  expect(touched(MAIL, draft)).toEqual(["mail"]);
  expect(touched(MAIL, `${MAIL}# a comment\n`)).toEqual([]);
  const shadow = withMode(draft, ["mail"], "shadow");
  expect(form(shadow).routes[0]!.fields.mode).toBe("shadow");
  expect(withMode(shadow, ["mail"], "enforce")).toBe(shadow.replace("mode: shadow", "mode: enforce"));
  expect(withMode(draft, ["mail"], "enforce")).toBe(draft);
});
