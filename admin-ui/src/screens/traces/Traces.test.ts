import { flushSync, mount, unmount } from "svelte";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Api } from "../../api/client";
import type { TraceSummary } from "../../api/types";
import { language } from "../../i18n/language.svelte";
import { place } from "../../lib/place.svelte";
import { document as otlp, list, refused, span, summary, TRACE_ID } from "./sample";
import Traces from "./Traces.svelte";

const WAIT = { timeout: 15_000 };
const SESSION = { user: "vera", role: "viewer" as const, read_only: false };

/** A gateway with traces; what was asked for is kept. */
function gateway(traces: TraceSummary[] = [summary(2), summary(1, { kind: "slow", status: 200, reason: null, path: "/mail/list/1", trace_id: "1".repeat(32) })]) {
  const state = { traces, asked: [] as string[], link: "http://127.0.0.1:16686/trace/{trace_id}" as string | null };
  const client = span("0000000000000abc", 0.1, 0.4, { "server.address": "127.0.0.1", "server.port": 9101 }, { parentSpanId: refused.spanId, kind: 3, name: "POST" });
  const api = new Api(async (path) => {
    if (path === `/api/v1/traces/${TRACE_ID}`) return Response.json(otlp(refused, client));
    if (path.startsWith("/api/v1/traces/")) return Response.json({ code: "not_found", detail: "there is no such trace" }, { status: 404 });
    if (!path.startsWith("/api/v1/traces")) return Response.json({}, { status: 404 });
    state.asked.push(path);
    const asked = new URLSearchParams(path.split("?")[1]);
    const before = Number(asked.get("before") ?? Infinity);
    const fits = state.traces.filter(({ kind, number }) => number < before && (asked.get("kind") ?? kind) === kind);
    return Response.json(list(fits.slice(0, Number(asked.get("limit"))), { link: state.link }));
  });
  return { state, api };
}

let app: object | null = null;
let leave: (() => void) | null = null;

function open(api: Api, at = "/traces") {
  history.replaceState(null, "", at);
  leave = place.begin();
  app = mount(Traces, { target: document.body, props: { api, session: SESSION, onUnauthorized: () => undefined } });
  flushSync();
}

beforeEach(() => language.begin());
afterEach(async () => {
  leave?.();
  if (app) await unmount(app);
  app = null;
});

const text = () => document.body.textContent!.replace(/\s+/g, " ");
const seen = (part: string) => vi.waitFor(() => expect(text()).toContain(part), WAIT);
const rows = () => [...document.querySelectorAll<HTMLAnchorElement>("nav li a")];

it("lists recent calls and shows the refused one with its reason, its course and the ways on", async () => {
  open(gateway().api);
  await seen("workers are over their threshold");
  expect(rows().map((row) => row.querySelector(".status")!.textContent)).toEqual(["429", "200"]);
  rows()[0]!.click();
  flushSync();
  expect(location.pathname).toBe(`/traces/${TRACE_ID}`);
  await seen("workers 91% > 85% on mailbox");
  expect(text()).toContain("come back in 2.0 s");
  expect(text()).toContain("mail.yaml, revision 12");
  const hrefs = [...document.querySelectorAll("section a")].map((link) => link.getAttribute("href"));
  expect(hrefs).toContain("/policies?file=mail.yaml");
  expect(hrefs).toContain("/history/12");
  expect(hrefs).toContain(`http://127.0.0.1:16686/trace/${TRACE_ID}`);
  const download = document.querySelector("a[download]")!;
  expect([download.getAttribute("href"), download.getAttribute("download")]).toEqual([`/api/v1/traces/${TRACE_ID}`, `trace-${TRACE_ID}.json`]);
  const drawn = [...document.querySelectorAll("section table tbody tr")].map((row) => row.textContent!.replace(/\s+/g, " ").trim());
  expect(drawn).toHaveLength(2);
  expect(drawn[0]).toContain("429");
  expect(drawn[1]).toContain("127.0.0.1:9101");
  expect(text()).toContain(`00-${TRACE_ID}-${refused.spanId}-01`);
});

it("asks the gateway for what the address says, and writes a choice into it", async () => {
  const { state, api } = gateway();
  open(api, "/traces?kind=slow");
  await seen("/mail/list/1");
  expect(state.asked[0]).toBe("/api/v1/traces?kind=slow&limit=50");
  expect(text()).not.toContain("/mail/receive/7");
  const kind = document.querySelector<HTMLSelectElement>("form select")!;
  expect(kind.value).toBe("slow");
  kind.value = "refused";
  kind.dispatchEvent(new Event("change", { bubbles: true }));
  flushSync();
  expect(location.search).toBe("?kind=refused");
  await seen("/mail/receive/7");
  expect(rows()[0]!.getAttribute("href")).toBe(`/traces/${TRACE_ID}?kind=refused`);
});

it("says of a call that the cache saw why the service was asked", async () => {
  const hit = summary(2, { kind: "sampled", status: 200, reason: null, path: "/mail/list/1", cache: "hit" });
  const miss = summary(1, { kind: "sampled", status: 200, reason: null, path: "/mail/list/2", cache: "miss", cache_fwd: "vary-miss" });
  open(gateway([hit, miss]).api);
  await seen("/mail/list/2");
  const told = rows().map((row) => row.querySelector(".more")!.textContent!.replace(/\s+/g, " ").trim());
  expect(told[0]).toMatch(/· hit$/);
  expect(told[1]).toMatch(/· miss \(vary-miss\)$/);
});

it("holds the list still while a call is read, until the newest are asked for", async () => {
  const { state, api } = gateway();
  open(api, `/traces/${TRACE_ID}`);
  await seen("workers 91% > 85% on mailbox");
  state.traces = [summary(3, { path: "/mail/receive/new" }), ...state.traces];
  await seen("Show the newest");
  expect(rows()).toHaveLength(2);
  [...document.querySelectorAll("button")].find((one) => one.textContent === "Show the newest")!.click();
  await seen("/mail/receive/new");
  expect(rows()).toHaveLength(3);
});

it("reads older calls below the newest", async () => {
  const many = Array.from({ length: 60 }, (_, at) => summary(60 - at));
  const { state, api } = gateway(many);
  open(api);
  await vi.waitFor(() => expect(rows()).toHaveLength(50), WAIT);
  [...document.querySelectorAll("button")].find((one) => one.textContent === "Show older")!.click();
  await vi.waitFor(() => expect(rows()).toHaveLength(60), WAIT);
  expect(state.asked).toContain("/api/v1/traces?limit=50&before=11");
});

it("says that a trace is gone, and that nothing is like what was asked for", async () => {
  const { state, api } = gateway();
  state.link = null;
  open(api, `/traces/${"2".repeat(32)}`);
  await seen("is not kept any more");
  place.go("/traces?kind=error");
  flushSync();
  await seen("No recent call is like that.");
});

it("teaches where there is nothing yet", async () => {
  open(gateway([]).api);
  await seen("curl -i http://127.0.0.1:8080/nowhere");
});
