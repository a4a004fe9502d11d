import { flushSync, mount, unmount } from "svelte";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Api } from "../../api/client";
import type { Session } from "../../api/types";
import { language } from "../../i18n/language.svelte";
import { place } from "../../lib/place.svelte";
import { route } from "../now/sample";
import Policies from "./Policies.svelte";

const MAIL = `version: 1
routes:
  # people wait
  read:   { match: { path: /read/** }, upstream: mailbox }   # as it is
`;

const WAIT = { timeout: 15_000 };
const EDITOR: Session = { user: "eda", role: "editor", read_only: false };

/** A gateway with one file; what was written is kept. */
function gateway() {
  const state = { text: MAIL, etag: '"1"', puts: [] as { text: string; etag: string | null; reason: string | null; revert: string | null }[] };
  const preview = { from_unix_ms: null, to_unix_ms: null, calls: 0, routes: [], callers: [], not_replayed: {} };
  const api = new Api(async (path, init) => {
    const headers = new Headers(init.headers);
    if (path === "/api/v1/policies/mail.yaml" && init.method === "PUT") {
      state.puts.push({ text: String(init.body), etag: headers.get("if-match"), reason: headers.get("x-change-reason"), revert: headers.get("x-revert-after") });
      if (headers.get("if-match") !== state.etag) return Response.json({ code: "policy_changed", detail: "changed" }, { status: 412 });
      [state.text, state.etag] = [String(init.body), '"2"'];
      return Response.json({ file: "mail.yaml", revision: 7 }, { headers: { etag: state.etag } });
    }
    if (path === "/api/v1/policies/mail.yaml") return new Response(state.text, { headers: { etag: state.etag } });
    const answers: Record<string, unknown> = {
      "/api/v1/policies": { ok: true, revision: 6, read_only: false, problems: [], files: [{ file: "mail.yaml", etag: state.etag, bytes: state.text.length }] },
      "/api/v1/reverts": { reverts: [] },
      "/api/v1/routes": { routes: [route("read")] },
      "/api/v1/upstreams": { upstreams: [] },
      "/api/v1/policies:check": { problems: [], diff: ["route read: class interactive → bulk"] },
      "/api/v1/policies:preview": preview,
    };
    return path in answers ? Response.json(answers[path]) : Response.json({}, { status: 404 });
  });
  return { state, api };
}

let app: object | null = null;

function open(api: Api, session: Session = EDITOR) {
  app = mount(Policies, { target: document.body, props: { api, session, onUnauthorized: () => undefined } });
  flushSync();
}

async function close() {
  if (app) await unmount(app);
  app = null;
}

beforeEach(() => {
  sessionStorage.clear();
  history.replaceState(null, "", "/policies?file=mail.yaml");
  place.begin()();
  language.begin();
  HTMLDialogElement.prototype.showModal ??= () => undefined;
});
afterEach(close);

const control = <T extends HTMLElement>(label: string) =>
  vi.waitFor(() => {
    const found = [...document.querySelectorAll("label")].find((one) => one.textContent?.trim() === label);
    const field = found && document.getElementById(found.htmlFor);
    expect(field, label).toBeTruthy();
    return field as unknown as T;
  }, WAIT);
const button = (name: string) =>
  vi.waitFor(() => {
    const found = [...document.querySelectorAll("button")].find((one) => one.textContent?.trim() === name);
    expect(found?.disabled, name).toBe(false);
    return found!;
  }, WAIT);

async function chooseBulk() {
  const select = await control<HTMLSelectElement>("Class");
  select.value = "bulk";
  select.dispatchEvent(new Event("change", { bubbles: true }));
}

const BULK = MAIL.replace("upstream: mailbox }", "upstream: mailbox, class: bulk }");

it("saves what the form changed with its own line changed alone, with a reason and the tag that was read", async () => {
  const { state, api } = gateway();
  open(api);
  await chooseBulk();
  await vi.waitFor(() => expect(document.body.textContent).toContain("class interactive → bulk"), WAIT);
  (await button("Check and save …")).click();
  flushSync();
  const reason = document.querySelector<HTMLInputElement>("dialog input[maxlength]")!;
  reason.value = "crawlers";
  reason.dispatchEvent(new Event("input", { bubbles: true }));
  document.querySelector("dialog form")!.dispatchEvent(new SubmitEvent("submit", { bubbles: true, cancelable: true }));
  await vi.waitFor(() => expect(document.body.textContent).toContain("runs as revision 7"), WAIT);
  expect(state.puts).toEqual([{ text: BULK, etag: '"1"', reason: "crawlers", revert: null }]);
  expect(sessionStorage.length).toBe(0);
});

it("keeps a draft over a reload and a change by somebody else, and says that there was one", async () => {
  const { state, api } = gateway();
  open(api);
  await chooseBulk();
  await vi.waitFor(() => expect(sessionStorage.length).toBe(1), WAIT);
  await close();
  [state.text, state.etag] = [`# theirs\n${MAIL}`, '"9"'];
  open(api);
  expect((await control<HTMLSelectElement>("Class")).value).toBe("bulk");
  await vi.waitFor(() => expect(document.body.textContent).toContain("changed by somebody else"), WAIT);
  (await button("mail.yaml was changed meanwhile …")).click();
  await vi.waitFor(() => expect(document.body.textContent).toContain("both are in the text on the right"), WAIT);
  (await button("Go on with the right text")).click();
  await vi.waitFor(() => expect(sessionStorage.getItem("sumun.drafts.eda")).toContain(JSON.stringify(`# theirs\n${BULK}`)), WAIT);
  expect(state.puts).toEqual([]);
});

it("offers the text to copy, and no way to save, to those who may not", async () => {
  for (const session of [{ ...EDITOR, role: "viewer" as const }, { ...EDITOR, read_only: true }]) {
    open(gateway().api, session);
    await button("Copy the YAML");
    expect(document.body.textContent).not.toContain("Check and save");
    expect(document.body.textContent).not.toContain("New file");
    await close();
  }
});
