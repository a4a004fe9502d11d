import { flushSync, mount, unmount } from "svelte";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Api, type Events } from "../../api/client";
import { language } from "../../i18n/language.svelte";
import { AGAIN_MS } from "../../lib/live";
import { place } from "../../lib/place.svelte";
import { Source } from "../../lib/live.sample";
import { SILENT_MS } from "../../lib/listening.svelte";
import Now from "./Now.svelte";
import { functions, route, status } from "./sample";

let app: object | null = null;

/** The screen before a gateway that counts what it is asked for. */
function open(streams = true) {
  const state = { streams };
  const sources: Source[] = [];
  const asked: string[] = [];
  const to_unix_s = Math.floor(Date.now() / 1_000) - 1;
  const answers: Record<string, unknown> = {
    "/api/v1/status": status,
    "/api/v1/routes": { routes: [route("mail")] },
    "/api/v1/functions": functions,
    "/api/v1/series/routes": { at_unix_ms: Date.now(), every_s: 1, to_unix_s, routes: { mail: { calls: Array(60).fill(40), refused: Array(60).fill(0) } } },
    "/api/v1/series/routes?span=6h": { at_unix_ms: Date.now(), every_s: 180, to_unix_s, routes: { mail: { calls: [3, 90], refused: [0, 1.5] } } },
  };
  const api = new Api(
    async (path) => {
      asked.push(path);
      return path in answers ? Response.json(answers[path]) : Response.json({}, { status: 404 });
    },
    () => {
      const source = new Source();
      sources.push(source);
      if (!state.streams) queueMicrotask(() => source.refuse());
      return source as unknown as Events;
    },
  );
  app = mount(Now, { target: document.body, props: { api, session: { user: "eda", role: "editor", read_only: false }, onUnauthorized: () => asked.push("login") } });
  flushSync();
  const tell = (rate: number, refused = 0) => {
    const routes = [route("mail", { rate, refused: { rps_over: refused } })];
    sources.at(-1)!.tell(JSON.stringify({ at_unix_ms: Date.now(), status, routes, functions, upstreams: [], cache: {} }));
    flushSync();
  };
  return { state, sources, asked, answers, tell };
}

function show(visible: boolean) {
  Object.defineProperty(document, "hidden", { configurable: true, value: !visible });
  document.dispatchEvent(new Event("visibilitychange"));
}

const text = () => document.body.textContent ?? "";
const sparkline = () => document.querySelector("td svg[role=img]");
/** Of calls for figures, the ones that a poll would make. */
const polls = (asked: string[]) => asked.filter((path) => path === "/api/v1/routes").length;

beforeEach(() => {
  vi.useFakeTimers();
  localStorage.clear();
  language.begin();
});
afterEach(async () => {
  if (app) await unmount(app);
  app = null;
  place.set({ range: null });
  Reflect.deleteProperty(document, "hidden");
  vi.useRealTimers();
});

it("shows what is told without asking, with the minute that was kept before", async () => {
  const { asked, tell } = open();
  tell(33);
  expect(text()).toContain("mail");
  const size = [sparkline()!.getAttribute("width"), sparkline()!.getAttribute("height")];
  expect(sparkline()!.getAttribute("aria-label")).toBe("33 to 33 calls/s, 0 refused");
  await vi.advanceTimersByTimeAsync(1_000);
  tell(38, 3);
  expect(sparkline()!.getAttribute("aria-label")).toBe("33 to 40 calls/s, 3 refused");
  expect([sparkline()!.getAttribute("width"), sparkline()!.getAttribute("height")]).toEqual(size);
  expect(asked).toEqual(["/api/v1/series/routes"]);
});

it("listens and asks for nothing while the page is hidden, and fills the gap after", async () => {
  const { sources, asked, tell } = open();
  tell(33);
  await vi.advanceTimersByTimeAsync(0);
  show(false);
  expect(sources.at(-1)!.readyState).toBe(2);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toEqual(["/api/v1/series/routes"]);
  show(true);
  flushSync();
  expect(sources.length).toBe(2);
  expect(text()).not.toContain("No data for");
  tell(34);
  await vi.advanceTimersByTimeAsync(0);
  expect(asked).toEqual(["/api/v1/series/routes", "/api/v1/series/routes"]);
});

it("asks instead where the stream is refused, says so, and stops when events come", async () => {
  const { state, sources, asked, tell } = open(false);
  await vi.advanceTimersByTimeAsync(2_500);
  flushSync();
  expect(text()).toContain("No live events come through");
  expect(text()).toContain("mail");
  const before = polls(asked);
  expect(before).toBeGreaterThanOrEqual(2);
  state.streams = true;
  await vi.advanceTimersByTimeAsync(AGAIN_MS);
  expect(sources.length).toBe(2);
  tell(33);
  expect(text()).not.toContain("No live events come through");
  const after = polls(asked);
  await vi.advanceTimersByTimeAsync(SILENT_MS - 500);
  expect(polls(asked)).toBe(after);
});

it("asks instead where a stream is open and nothing comes out of it", async () => {
  const { asked } = open();
  await vi.advanceTimersByTimeAsync(SILENT_MS - 1);
  expect(polls(asked)).toBe(0);
  await vi.advanceTimersByTimeAsync(1_001);
  flushSync();
  expect(polls(asked)).toBeGreaterThanOrEqual(1);
  expect(text()).toContain("No live events come through");
});

it("draws hours where they are asked for, says so where they can't be read, and goes back to what is told", async () => {
  const { asked, answers, tell } = open();
  tell(33);
  const pick = (name: string) => {
    const radio = [...document.querySelectorAll<HTMLInputElement>("input[type=radio]")].find(({ value }) => value === name)!;
    radio.click();
    flushSync();
  };
  pick("6h");
  expect(place.search.get("range")).toBe("6h");
  expect(text()).toContain("Last 6 hours");
  expect(sparkline()!.getAttribute("aria-label")).toBe("nothing known yet");
  await vi.advanceTimersByTimeAsync(0);
  flushSync();
  expect(sparkline()!.getAttribute("aria-label")).toBe("3.0 to 90 calls/s, at most 1.5 refused/s");
  delete answers["/api/v1/series/routes?span=6h"];
  await vi.advanceTimersByTimeAsync(10_000);
  tell(34);
  expect(text()).toContain("What was could not be read.");
  expect(sparkline()!.getAttribute("aria-label")).toBe("3.0 to 90 calls/s, at most 1.5 refused/s");
  pick("live");
  expect(place.search.get("range")).toBeNull();
  expect(text()).not.toContain("What was could not be read.");
  expect(sparkline()!.getAttribute("aria-label")).toMatch(/calls\/s, \d+ refused$/);
  const before = asked.length;
  await vi.advanceTimersByTimeAsync(20_000);
  expect(asked.slice(before).filter((path) => path.includes("span="))).toEqual([]);
});
