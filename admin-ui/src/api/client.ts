/** The one way to the admin API: bounds the wait, turns failures into one error type, knows every endpoint. */

import type {
  AuditLog, CacheFigures, Checked, Draft, Functions, PendingReverts, PolicyFile, PolicyList, Preview, Problem, Purge, Purged,
  Revision, RevisionList, Routes, Series, SeriesOf, Session, Span, Sparks, Status, TraceDocument, TraceList, Upstreams, Written,
} from "./types";

/** Longest wait for one answer; a preview replays minutes of traffic and gets more. */
export const ANSWER_TIME_MS_MAX = 5_000;
export const PREVIEW_TIME_MS_MAX = 60_000;

/** A password is slow to check on purpose, and at most two are at once. */
export const LOGIN_TIME_MS_MAX = 20_000;

export type FailureKind = "unauthorized" | "refused" | "unreachable" | "malformed";

/** Why a call to the admin API gave no data. */
export class ApiFailure extends Error {
  /** The problem document's code, such as `policy_changed`; null where there is none. */
  code: string | null = null;
  /** What is wrong with a policy, line by line. */
  problems: Problem[] = [];
  /** The file's present tag, where a write met another one. */
  etag: string | null = null;

  constructor(
    readonly kind: FailureKind,
    readonly status: number | null,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "ApiFailure";
  }
}

/** What a change is made with beside its text. */
export interface ChangeOptions {
  /** The tag that was read; null: the file must be new. */
  etag: string | null;
  reason: string;
  /** After this time the file becomes again what it was, as `30m`. */
  revertAfter?: string | undefined;
}

export type Credentials = { token: string } | { user: string; password: string };

export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

/** Where a trace is read, and downloaded. */
export const traceAddress = (id: string): string => `/api/v1/traces/${encodeURIComponent(id)}`;

/** Server-sent events, as far as they are listened to. */
export type Events = Pick<EventSource, "readyState" | "addEventListener" | "close">;

interface Sent {
  method?: string;
  headers?: Record<string, string>;
  json?: unknown;
  text?: string;
  signal?: AbortSignal | undefined;
  time_ms?: number;
}

/** Words for people that travel in a header: as the bytes of UTF-8, which the gateway reads, one sign a byte, which a header can hold. */
const headerText = (text: string): string => String.fromCharCode(...new TextEncoder().encode(text));

export class Api {
  readonly #fetch: Fetch;
  readonly #listen: (path: string) => Events;

  constructor(fetch: Fetch = (input, init) => globalThis.fetch(input, init), listen: (path: string) => Events = (path) => new EventSource(path)) {
    this.#fetch = fetch;
    this.#listen = listen;
  }

  // Who is logged in.
  session = (signal?: AbortSignal) => this.#json<Session>("/api/v1/session", { signal });
  login = (credentials: Credentials) => this.#json<Session>("/api/v1/session", { method: "POST", json: credentials, time_ms: LOGIN_TIME_MS_MAX });
  logout = () => this.#send("/api/v1/session", { method: "DELETE" });

  // What goes on.
  status = (signal?: AbortSignal) => this.#json<Status>("/api/v1/status", { signal });
  /** Opens the stream of live events. */
  live = (): Events => this.#listen("/api/v1/live");
  routes = (signal?: AbortSignal) => this.#json<Routes>("/api/v1/routes", { signal });
  upstreams = (signal?: AbortSignal) => this.#json<Upstreams>("/api/v1/upstreams", { signal });
  functions = (signal?: AbortSignal) => this.#json<Functions>("/api/v1/functions", { signal });
  cache = (signal?: AbortSignal) => this.#json<CacheFigures>("/api/v1/cache", { signal });
  series = (of: SeriesOf, span: Span, signal?: AbortSignal) =>
    this.#json<Series>(`/api/v1/series?${new URLSearchParams({ ...Object.fromEntries(Object.entries(of).map(([key, value]) => [key, String(value)])), span })}`, { signal });
  /** Each route in a few points: the last minute, or a span. */
  sparks = (span: Span | null = null, signal?: AbortSignal) => this.#json<Sparks>(`/api/v1/series/routes${span === null ? "" : `?span=${span}`}`, { signal });
  audit = (limit: number, signal?: AbortSignal) => this.#json<AuditLog>(`/api/v1/audit?limit=${limit}`, { signal });

  // Single calls.
  traces = (query: string, signal?: AbortSignal) => this.#json<TraceList>(`/api/v1/traces${query === "" ? "" : `?${query}`}`, { signal });
  trace = (id: string, signal?: AbortSignal) => this.#json<TraceDocument>(traceAddress(id), { signal });

  // Policies.
  policies = (signal?: AbortSignal) => this.#json<PolicyList>("/api/v1/policies", { signal });
  async policy(file: string, signal?: AbortSignal): Promise<PolicyFile> {
    const response = await this.#send(`/api/v1/policies/${encodeURIComponent(file)}`, { signal, headers: { accept: "application/yaml" } });
    return { file, text: await response.text(), etag: response.headers.get("etag") ?? "" };
  }
  async save(file: string, text: string, options: ChangeOptions): Promise<Written> {
    const headers = { ...this.#change(options), "content-type": "application/yaml" };
    const response = await this.#send(`/api/v1/policies/${encodeURIComponent(file)}`, { method: "PUT", text, headers });
    return { ...((await response.json()) as Omit<Written, "etag">), etag: response.headers.get("etag") };
  }
  remove = (file: string, options: ChangeOptions) =>
    this.#send(`/api/v1/policies/${encodeURIComponent(file)}`, { method: "DELETE", headers: this.#change(options) });
  check = (draft: Draft, signal?: AbortSignal) =>
    this.#json<Checked>("/api/v1/policies:check", { method: "POST", json: { files: draft }, signal });
  preview = (draft: Draft, signal?: AbortSignal) =>
    this.#json<Preview>("/api/v1/policies:preview", { method: "POST", json: { files: draft }, signal, time_ms: PREVIEW_TIME_MS_MAX });

  // What was.
  revisions = (before: number | null, limit: number, signal?: AbortSignal) =>
    this.#json<RevisionList>(`/api/v1/revisions?limit=${limit}${before === null ? "" : `&before=${before}`}`, { signal });
  revision = (id: number, signal?: AbortSignal) => this.#json<Revision>(`/api/v1/revisions/${id}`, { signal });
  restore = (id: number, reason: string) =>
    this.#json<{ revision: number; of: number }>(`/api/v1/revisions/${id}:restore`, {
      method: "POST",
      headers: { "x-change-reason": headerText(reason) },
    });
  reverts = (signal?: AbortSignal) => this.#json<PendingReverts>("/api/v1/reverts", { signal });
  keep = (file: string) => this.#send(`/api/v1/reverts/${encodeURIComponent(file)}`, { method: "DELETE" });

  // Capacity and cache.
  reserve = (name: string, reserved: number | null, reason: string) =>
    this.#json<{ revision: number; file: string }>(`/api/v1/functions/${encodeURIComponent(name)}/concurrency`, {
      method: reserved === null ? "DELETE" : "PUT",
      headers: { "x-change-reason": headerText(reason) },
      ...(reserved === null ? {} : { json: { reserved } }),
    });
  purge = (what: Purge, soft: boolean, reason: string) =>
    this.#json<Purged>("/api/v1/cache:purge", {
      method: "POST",
      headers: reason === "" ? {} : { "x-change-reason": headerText(reason) },
      json: { ...what, soft },
    });
  /** What a purge would take. */
  purgePreview = (what: Purge, signal?: AbortSignal) =>
    this.#json<Purged>("/api/v1/cache:purge", { method: "POST", json: { ...what, dry_run: true }, signal });

  #change({ etag, reason, revertAfter }: ChangeOptions): Record<string, string> {
    return {
      ...(etag === null ? { "if-none-match": "*" } : { "if-match": etag }),
      ...(reason === "" ? {} : { "x-change-reason": headerText(reason) }),
      ...(revertAfter === undefined ? {} : { "x-revert-after": revertAfter }),
    };
  }

  async #json<T>(path: string, sent: Sent): Promise<T> {
    const response = await this.#send(path, sent);
    try {
      return (await response.json()) as T;
    } catch (cause) {
      throw new ApiFailure("malformed", response.status, `${path} is not JSON`, { cause });
    }
  }

  async #send(path: string, { method = "GET", headers = {}, json, text, signal, time_ms = ANSWER_TIME_MS_MAX }: Sent): Promise<Response> {
    const limit = AbortSignal.timeout(time_ms);
    const body = json === undefined ? text : JSON.stringify(json);
    let response: Response;
    try {
      response = await this.#fetch(path, {
        method,
        headers: { accept: "application/json", ...(json === undefined ? {} : { "content-type": "application/json" }), ...headers },
        cache: "no-store",
        credentials: "same-origin",
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
        ...(body === undefined ? {} : { body }),
      });
    } catch (cause) {
      throw new ApiFailure("unreachable", null, "the gateway does not answer", { cause });
    }
    if (response.ok) return response;
    throw await failure(response);
  }
}

/** What a problem document (RFC 9457) says, or else the status line. */
async function failure(response: Response): Promise<ApiFailure> {
  const kind = response.status === 401 ? "unauthorized" : "refused";
  let said: { detail?: unknown; title?: unknown; code?: unknown; problems?: unknown } = {};
  try {
    const parsed: unknown = await response.json();
    if (parsed !== null && typeof parsed === "object") said = parsed;
  } catch {
    // Not a problem document: the status says enough.
  }
  const line = `${response.status} ${response.statusText}`.trim();
  const message = typeof said.detail === "string" ? said.detail : typeof said.title === "string" ? said.title : line;
  const failed = new ApiFailure(kind, response.status, message);
  failed.code = typeof said.code === "string" ? said.code : null;
  failed.problems = Array.isArray(said.problems) ? (said.problems as Problem[]) : [];
  failed.etag = response.headers.get("etag");
  return failed;
}
