/**
 * Listens to the gateway's live events: one stream, none while the page is hidden. A browser comes again by
 * itself where a stream breaks; where the gateway refuses one, this does, after asking why.
 */

import type { Events } from "../api/client";
import type { Tick } from "../api/types";

/** Wait after a refused stream. */
export const AGAIN_MS = 3_000;

export interface Live {
  stop(): void;
}

export interface LiveOptions {
  onTick(tick: Tick): void;
  onFailure(failure: unknown): void;
  /** A call that fails as the stream did, for an event source never says why. */
  why(signal: AbortSignal): Promise<unknown>;
  /** Where `visibilitychange` is told and `hidden` is asked; the document. */
  page: Pick<Document, "hidden" | "addEventListener" | "removeEventListener">;
  open: () => Events;
}

export function live({ onTick, onFailure, why, page, open }: LiveOptions): Live {
  const ended = new AbortController();
  let source: Events | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function close(): void {
    source?.close();
    source = null;
    clearTimeout(timer);
    timer = undefined;
  }

  function listen(): void {
    close();
    if (ended.signal.aborted || page.hidden) return;
    const own = open();
    source = own;
    own.addEventListener("tick", (event) => {
      if (source !== own) return;
      try {
        onTick(JSON.parse((event as MessageEvent<string>).data) as Tick);
      } catch (failure) {
        onFailure(failure);
      }
    });
    own.addEventListener("error", () => {
      // 2: closed for good. Else the browser is already coming again.
      if (source !== own || own.readyState !== 2) return;
      close();
      timer = setTimeout(listen, AGAIN_MS);
      void why(ended.signal).catch((failure: unknown) => {
        if (!ended.signal.aborted) onFailure(failure);
      });
    });
  }

  page.addEventListener("visibilitychange", listen);
  listen();
  return {
    stop() {
      ended.abort();
      close();
      page.removeEventListener("visibilitychange", listen);
    },
  };
}
