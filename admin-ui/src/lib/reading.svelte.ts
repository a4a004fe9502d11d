/** Something that a screen reads again and again while it is shown: the newest data, its age, why there is none. */

import { ApiFailure } from "../api/client";
import { poll } from "./poll";

export interface ReadingOptions {
  every_ms: number;
  onUnauthorized: () => void;
}

export class Reading<T> {
  data = $state.raw<T | null>(null);
  /** The data before that; for what changed in between. */
  before = $state.raw<T | null>(null);
  failure = $state.raw<ApiFailure | null>(null);
  #readAt_ms = $state(0);
  #now_ms = $state(0);
  #turn = $state(0);

  /** To be made while a component is: it ends with it. */
  constructor(
    read: (signal: AbortSignal) => Promise<T>,
    readonly options: ReadingOptions,
  ) {
    $effect(() => {
      void this.#turn;
      const reading = poll({
        every_ms: options.every_ms,
        page: document,
        read,
        onData: (data) => {
          this.before = this.data;
          this.data = data;
          this.failure = null;
          this.#readAt_ms = this.#now_ms = performance.now();
        },
        onFailure: (cause) => {
          const known = cause instanceof ApiFailure ? cause : new ApiFailure("malformed", null, String(cause), { cause });
          if (known.kind === "unauthorized") options.onUnauthorized();
          this.failure = known;
        },
      });
      const clock = setInterval(() => (this.#now_ms = performance.now()), 500);
      return () => {
        reading.stop();
        clearInterval(clock);
      };
    });
  }

  get every_ms(): number {
    return this.options.every_ms;
  }

  /** Milliseconds since the data was read. */
  get age_ms(): number {
    return this.data === null ? 0 : this.#now_ms - this.#readAt_ms;
  }

  /** Reads at once, as after a change. */
  again(): void {
    this.#turn += 1;
  }
}
