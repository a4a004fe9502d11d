import { flushSync, mount, unmount } from "svelte";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import App from "./App.svelte";
import { ApiFailure, type Api } from "./api/client";
import { session } from "./api/session";
import { language } from "./i18n/language.svelte";
import { functions, route, status } from "./screens/now/sample";

const TOKEN = "a-token-that-is-long-enough";

/** An admin API whose answers a test can change. */
function gateway(routes = [route("mail-read", { latency_ms: null }), route("mail-receive", { class: "batch", limit: 34, refused: { workers_over: 7 } })]) {
  const state = { routes, failure: null as ApiFailure | null, tokens: [] as string[] };
  const answer = async <T>(value: T) => {
    if (state.failure) throw state.failure;
    return value;
  };
  const api: Api = {
    status: () => answer(status),
    routes: () => answer({ routes: state.routes }),
    functions: () => answer(functions),
  };
  const connect = (token: string) => (state.tokens.push(token), api);
  return { state, connect };
}

let app: object | null = null;

function open(connect: (token: string) => Api): HTMLElement {
  app = mount(App, { target: document.body, props: { session: session(sessionStorage), api: connect } });
  flushSync();
  return document.body;
}

beforeEach(() => {
  sessionStorage.clear();
  localStorage.clear();
  language.begin();
});

afterEach(async () => {
  if (app) await unmount(app);
  app = null;
});

const text = () => document.body.textContent ?? "";

it("asks for the token first, refuses what is none, and shows the figures after", async () => {
  const { state, connect } = gateway();
  const page = open(connect);
  expect(text()).toContain("Log in with the link");
  const input = page.querySelector("input")!;
  const submit = (token: string) => {
    input.value = token;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    page.querySelector("form")!.dispatchEvent(new SubmitEvent("submit", { bubbles: true, cancelable: true }));
    flushSync();
  };
  submit("too short");
  expect(text()).toContain("That is not a token");
  expect(state.tokens).toEqual([]);
  submit(TOKEN);
  expect(state.tokens).toEqual([TOKEN]);
  await vi.waitFor(() => expect(text()).toContain("mail-receive"));
  expect(sessionStorage.getItem("sumun.token")).toBe(TOKEN);
});

it("shows the most refused route first, with its reason, its limit and the pool in words", async () => {
  sessionStorage.setItem("sumun.token", TOKEN);
  const page = open(gateway().connect);
  await vi.waitFor(() => expect(page.querySelectorAll("tbody tr")).toHaveLength(2));
  const first = page.querySelector("tbody tr")!.textContent!.replace(/\s+/g, " ");
  expect(first).toContain("mail-receive");
  expect(first).toContain("2 / 34");
  expect(first).toContain("workers 7");
  expect(first).toContain("81 / 180");
  expect(page.querySelector("tbody tr:last-child")!.textContent).toContain("– / –");
  expect(text()).toContain("20 of 40 reserved in use");
  expect(text()).toContain("26 of 100 in use");
});

it("goes back to the login when the gateway does not know the token", async () => {
  sessionStorage.setItem("sumun.token", TOKEN);
  const { state, connect } = gateway();
  state.failure = new ApiFailure("unauthorized", 401, "no");
  open(connect);
  await vi.waitFor(() => expect(text()).toContain("does not know that token"));
  expect(sessionStorage.getItem("sumun.token")).toBeNull();
});

it("says that the gateway is silent instead of showing nothing", async () => {
  sessionStorage.setItem("sumun.token", TOKEN);
  const { state, connect } = gateway();
  state.failure = new ApiFailure("unreachable", null, "no");
  open(connect);
  await vi.waitFor(() => expect(text()).toContain("The gateway does not answer"));
});

it("teaches how to write a first route where there is none", async () => {
  sessionStorage.setItem("sumun.token", TOKEN);
  const page = open(gateway([]).connect);
  await vi.waitFor(() => expect(text()).toContain("No routes yet"));
  expect(page.querySelector("table")).toBeNull();
  expect(text()).toContain("path: /**");
});

it("turns Korean and back, and remembers it", async () => {
  sessionStorage.setItem("sumun.token", TOKEN);
  const page = open(gateway().connect);
  await vi.waitFor(() => expect(text()).toContain("mail-read"));
  page.querySelector<HTMLButtonElement>("header button")!.click();
  flushSync();
  expect(text()).toContain("지금 거절되는 호출이 있는가");
  expect(document.documentElement.lang).toBe("ko");
  expect(localStorage.getItem("sumun.language")).toBe("ko");
  page.querySelector<HTMLButtonElement>("header button")!.click();
  flushSync();
  expect(document.documentElement.lang).toBe("en");
});
