/**
 * What goes on now: told by live events while they come, read again and again while they don't (the gateway has
 * no stream left, a proxy holds the events back), and neither while the page is hidden.
 */

import { ApiFailure, type Api } from "../api/client";
import type { Functions, Route, Status } from "../api/types";
import { live } from "./live";
import { poll, type Poll } from "./poll";

/** Events come each second; after so long without one it is asked for instead. */
export const SILENT_MS = 3_500;

export interface Figures {
  at_unix_ms: number;
  status: Status;
  routes: Route[];
  /** null: before the first policy. */
  functions: Functions | null;
}

export interface ListeningOptions {
  onUnauthorized: () => void;
  onFigures?: (figures: Figures) => void;
}

export class Listening {
  data = $state.raw<Figures | null>(null);
  /** The data before that; for what changed in between. */
  before = $state.raw<Figures | null>(null);
  failure = $state.raw<ApiFailure | null>(null);
  /** Whether it is asked for, since no events come. */
  polled = $state(false);
  readonly every_ms = 1_000;
  readonly #options: ListeningOptions;
  #readAt_ms = $state(0);
  #now_ms = $state(0);

  /** To be made while a component is: it ends with it. */
  constructor(api: Api, options: ListeningOptions) {
    this.#options = options;
    $effect(() => this.#begin(api));
  }

  /** Milliseconds since the data came. */
  get age_ms(): number {
    return this.data === null ? 0 : this.#now_ms - this.#readAt_ms;
  }

  #begin(api: Api): () => void {
    let reading: Poll | null = null;
    let silence: ReturnType<typeof setTimeout> | undefined;
    const read = async (signal: AbortSignal): Promise<Figures> => {
      const [status, { routes }, functions] = await Promise.all([api.status(signal), api.routes(signal), api.functions(signal)]);
      return { at_unix_ms: Date.now(), status, routes, functions };
    };
    const ask = () => {
      reading ??= poll({ every_ms: this.every_ms, page: document, read, onData: (figures) => this.#take(figures), onFailure: (cause) => this.#fail(cause) });
      this.polled = true;
    };
    const wait = () => {
      clearTimeout(silence);
      if (!document.hidden) silence = setTimeout(ask, SILENT_MS);
    };
    const stream = live({
      page: document,
      open: api.live,
      why: async (signal) => {
        await api.status(signal);
        ask(); // the gateway answers, it only has no stream to give
      },
      onTick: (tick) => {
        reading?.stop();
        reading = null;
        this.polled = false;
        wait();
        this.#take(tick);
      },
      onFailure: (cause) => {
        this.#fail(cause);
        ask();
      },
    });
    const shown = () => {
      // What was not asked for while nobody looked is not late.
      this.#readAt_ms = this.#now_ms = performance.now();
      wait();
    };
    const clock = setInterval(() => (this.#now_ms = performance.now()), 500);
    document.addEventListener("visibilitychange", shown);
    wait();
    return () => {
      stream.stop();
      reading?.stop();
      clearTimeout(silence);
      clearInterval(clock);
      document.removeEventListener("visibilitychange", shown);
    };
  }

  #take(figures: Figures): void {
    this.before = this.data;
    this.data = figures;
    this.failure = null;
    this.#readAt_ms = this.#now_ms = performance.now();
    this.#options.onFigures?.(figures);
  }

  #fail(cause: unknown): void {
    const known = cause instanceof ApiFailure ? cause : new ApiFailure("malformed", null, String(cause), { cause });
    if (known.kind === "unauthorized") this.#options.onUnauthorized();
    this.failure = known;
  }
}
