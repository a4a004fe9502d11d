/**
 * Reads something again and again: one read at a time, the next one `every_ms` after the last began (or at
 * once where that took longer), none while the page is hidden.
 */

export interface Poll {
  stop(): void;
}

export interface PollOptions<T> {
  every_ms: number;
  read(signal: AbortSignal): Promise<T>;
  onData(data: T): void;
  onFailure(failure: unknown): void;
  /** Where `visibilitychange` is told and `hidden` is asked; the document. */
  page: Pick<Document, "hidden" | "addEventListener" | "removeEventListener">;
}

export function poll<T>({ every_ms, read, onData, onFailure, page }: PollOptions<T>): Poll {
  const ended = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let reading = false;

  async function once(): Promise<void> {
    timer = undefined;
    if (ended.signal.aborted || page.hidden || reading) return;
    reading = true;
    const began = performance.now();
    try {
      const data = await read(ended.signal);
      if (!ended.signal.aborted) onData(data);
    } catch (failure) {
      if (!ended.signal.aborted) onFailure(failure);
    }
    reading = false;
    if (ended.signal.aborted) return;
    timer = setTimeout(() => void once(), Math.max(0, every_ms - (performance.now() - began)));
  }

  function visible(): void {
    if (!page.hidden && timer === undefined) void once();
  }

  page.addEventListener("visibilitychange", visible);
  void once();
  return {
    stop() {
      ended.abort();
      clearTimeout(timer);
      page.removeEventListener("visibilitychange", visible);
    },
  };
}
