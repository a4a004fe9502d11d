import { flushSync, mount, unmount } from "svelte";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import App from "./App.svelte";
import { Api, type Events } from "./api/client";
import type { Route } from "./api/types";
import { language } from "./i18n/language.svelte";
import { Source } from "./lib/live.sample";
import { functions, route, status } from "./screens/now/sample";

const SESSION = { user: "eda", role: "editor", read_only: false };

/** A gateway whose answers a test can change. */
function gateway(routes: Route[] = [route("mail-read", { latency_ms: null }), route("mail-receive", { class: "batch", limit: 34, refused: { workers_over: 7 } })]) {
  const state = { known: true, silent: false, shown: [] as unknown[] };
  const api = new Api(async (path, init) => {
    if (state.silent) throw new TypeError("gone");
    if (path === "/api/v1/session" && init.method === "POST") {
      const shown: unknown = JSON.parse(String(init.body));
      state.shown.push(shown);
      state.known = JSON.stringify(shown).includes("right");
      return state.known ? Response.json(SESSION) : Response.json({ detail: "no" }, { status: 401 });
    }
    if (!state.known) return Response.json({ detail: "log in" }, { status: 401 });
    if (init.method === "DELETE") {
      state.known = false;
      return new Response(null, { status: 204 });
    }
    const answers: Record<string, unknown> = {
      "/api/v1/session": SESSION,
      "/api/v1/status": status,
      "/api/v1/routes": { routes },
      "/api/v1/functions": functions,
    };
    return path in answers ? Response.json(answers[path]) : Response.json({}, { status: 404 });
  }, listen);
  /** Events as the gateway sends them, only sooner. */
  function listen(): Events {
    const source = new Source();
    const telling = setInterval(() => {
      if (source.readyState !== 2 && !state.known) source.refuse();
      if (source.readyState === 2) clearInterval(telling);
      else if (!state.silent) source.tell(JSON.stringify({ at_unix_ms: Date.now(), status, routes, functions }));
    }, 20);
    return source as unknown as Events;
  }
  return { state, api };
}

let app: object | null = null;

function open(api: Api): HTMLElement {
  app = mount(App, { target: document.body, props: { api } });
  flushSync();
  return document.body;
}

beforeEach(() => {
  localStorage.clear();
  history.replaceState(null, "", "/");
  language.begin();
});

afterEach(async () => {
  if (app) await unmount(app);
  app = null;
});

const text = () => document.body.textContent ?? "";

/** Long enough for a busy machine; nothing waits for it where all is well. */
const WAIT = { timeout: 15_000 };
const seen = (part: string) => vi.waitFor(() => expect(text()).toContain(part), WAIT);

function fill(page: HTMLElement, values: Record<string, string>) {
  for (const [id, value] of Object.entries(values)) {
    const input = page.querySelector<HTMLInputElement>(`#${id}`)!;
    input.value = value;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }
  const form = page.querySelector(`#${Object.keys(values)[0]}`)!.closest("form")!;
  form.dispatchEvent(new SubmitEvent("submit", { bubbles: true, cancelable: true }));
}

it("asks who it is, says what does not fit, and shows the figures after", async () => {
  const { state, api } = gateway();
  state.known = false;
  const page = open(api);
  await seen("Log in to this gateway");
  expect(page.querySelector("nav")).toBeNull();
  fill(page, { user: "eda", password: "wrong" });
  await seen("That does not fit");
  fill(page, { user: "eda", password: "right" });
  await seen("mail-receive");
  expect(state.shown).toEqual([{ user: "eda", password: "wrong" }, { user: "eda", password: "right" }]);
  expect(text()).toContain("eda · editor");
});

it("logs in with the link's token and takes it out of the address", async () => {
  const { state, api } = gateway();
  history.replaceState(null, "", "/#token=right-and-long-enough");
  open(api);
  await seen("mail-receive");
  expect(state.shown).toEqual([{ token: "right-and-long-enough" }]);
  expect(location.hash).toBe("");
});

it("refuses what is no token without asking the gateway", async () => {
  const { state, api } = gateway();
  state.known = false;
  const page = open(api);
  await seen("Log in to this gateway");
  fill(page, { token: "too short" });
  flushSync();
  expect(text()).toContain("That is not a token");
  expect(state.shown).toEqual([]);
});

it("shows the most refused route first, with its reason, its limit and the pool in words", async () => {
  const page = open(gateway().api);
  await vi.waitFor(() => expect(page.querySelectorAll("tbody tr")).toHaveLength(2), WAIT);
  const first = page.querySelector("tbody tr")!.textContent!.replace(/\s+/g, " ");
  expect(first).toContain("mail-receive");
  expect(first).toContain("2 / 34");
  expect(first).toContain("workers 7");
  expect(first).toContain("81 / 180");
  expect(page.querySelector("tbody tr:last-child")!.textContent).toContain("– / –");
  expect(text()).toContain("20 of 40 reserved in use");
  expect(text()).toContain("26 of 100 in use");
});

it("goes back to the login when the session is over, and on a logout", async () => {
  const { state, api } = gateway();
  const page = open(api);
  await seen("mail-receive");
  state.known = false;
  await seen("The session is over");
  fill(page, { user: "eda", password: "right" });
  await seen("mail-receive");
  const logout = [...page.querySelectorAll<HTMLButtonElement>("header button")].find((button) => button.textContent === "Log out");
  logout!.click();
  await seen("Log in to this gateway");
  expect(text()).not.toContain("The session is over");
});

it("says that the gateway is silent instead of showing nothing", async () => {
  const { state, api } = gateway();
  open(api);
  await seen("mail-receive");
  state.silent = true;
  await seen("The gateway does not answer");
});

it("teaches how to write a first route where there is none", async () => {
  const page = open(gateway([]).api);
  await seen("No routes yet");
  expect(page.querySelector("table")).toBeNull();
  expect(text()).toContain("path: /**");
});

it("turns Korean and back, and remembers it", async () => {
  const page = open(gateway().api);
  await seen("mail-read");
  const toggle = () => page.querySelector<HTMLButtonElement>("header button[lang]")!;
  toggle().click();
  flushSync();
  expect(text()).toContain("지금 거절되는 호출이 있는가");
  expect(document.documentElement.lang).toBe("ko");
  expect(localStorage.getItem("sumun.language")).toBe("ko");
  toggle().click();
  flushSync();
  expect(document.documentElement.lang).toBe("en");
});

it("turns dark and light, and follows the system again", async () => {
  const page = open(gateway().api);
  const button = page.querySelector<HTMLButtonElement>("header button")!;
  const themes = ["light", "dark", undefined].map(() => {
    button.click();
    flushSync();
    return document.documentElement.dataset["theme"];
  });
  expect(themes).toEqual(["light", "dark", undefined]);
});
