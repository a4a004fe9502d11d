/** The one way to the admin API: adds the token, bounds the wait, turns failures into one error type. */

import type { Functions, Routes, Status } from "./types";

/** Longest wait for one answer: the page asks each second and says when data is old. */
export const ANSWER_TIME_MS_MAX = 5_000;

export type FailureKind = "unauthorized" | "refused" | "unreachable" | "malformed";

/** Why a call to the admin API gave no data. */
export class ApiFailure extends Error {
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

export interface Api {
  status(signal?: AbortSignal): Promise<Status>;
  routes(signal?: AbortSignal): Promise<Routes>;
  functions(signal?: AbortSignal): Promise<Functions>;
}

export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

/** An admin API that is called with this token. */
export function connect(token: string, fetch: Fetch = (input, init) => globalThis.fetch(input, init)): Api {
  async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
    const limit = AbortSignal.timeout(ANSWER_TIME_MS_MAX);
    let response: Response;
    try {
      response = await fetch(path, {
        headers: { accept: "application/json", authorization: `Bearer ${token}` },
        cache: "no-store",
        credentials: "same-origin",
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      });
    } catch (cause) {
      throw new ApiFailure("unreachable", null, "the gateway does not answer", { cause });
    }
    if (response.status === 401) {
      throw new ApiFailure("unauthorized", 401, "the token is not known to this gateway");
    }
    if (!response.ok) {
      throw new ApiFailure("refused", response.status, await title(response));
    }
    try {
      return (await response.json()) as T;
    } catch (cause) {
      throw new ApiFailure("malformed", response.status, `${path} is not JSON`, { cause });
    }
  }

  return {
    status: (signal) => get<Status>("/api/v1/status", signal),
    routes: (signal) => get<Routes>("/api/v1/routes", signal),
    functions: (signal) => get<Functions>("/api/v1/functions", signal),
  };
}

/** What a problem (RFC 9457) says, or else the status line. */
async function title(response: Response): Promise<string> {
  try {
    const problem: unknown = await response.json();
    if (problem !== null && typeof problem === "object") {
      const { detail, title } = problem as { detail?: unknown; title?: unknown };
      if (typeof detail === "string") return detail;
      if (typeof title === "string") return title;
    }
  } catch {
    // Not a problem document: the status says enough.
  }
  return `${response.status} ${response.statusText}`.trim();
}
