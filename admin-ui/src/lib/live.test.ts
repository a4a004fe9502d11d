import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { AGAIN_MS, live } from "./live";
import { Page, Source } from "./live.sample";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function start() {
  const page = new Page();
  const sources: Source[] = [];
  const seen: unknown[] = [];
  const running = live({
    onTick: (tick) => seen.push(tick),
    onFailure: (failure) => seen.push(failure),
    why: async () => {
      throw new Error("why");
    },
    page: page as unknown as Document,
    open: () => {
      const source = new Source();
      sources.push(source);
      return source as unknown as EventSource;
    },
  });
  return { page, sources, seen, running };
}

it("hands over what it is told, and what cannot be read as a failure", () => {
  const { sources, seen, running } = start();
  sources[0]!.tell('{"at_unix_ms":1}');
  sources[0]!.tell("no JSON");
  expect(seen[0]).toEqual({ at_unix_ms: 1 });
  expect(seen[1]).toBeInstanceOf(SyntaxError);
  running.stop();
});

it("listens only while the page is shown, and to one stream", () => {
  const { page, sources, seen, running } = start();
  page.show(false);
  expect(sources[0]!.readyState).toBe(2);
  sources[0]!.tell("{}");
  expect(seen).toEqual([]);
  page.show(true);
  expect(sources.map((source) => source.readyState)).toEqual([2, 0]);
  running.stop();
  expect(sources.map((source) => source.readyState)).toEqual([2, 2]);
  page.show(true);
  expect(sources.length).toBe(2);
});

it("leaves a broken stream to the browser, and comes again itself after a refused one, saying why", async () => {
  const { sources, seen, running } = start();
  sources[0]!.dispatchEvent(new Event("error"));
  await vi.advanceTimersByTimeAsync(AGAIN_MS);
  expect(sources.length).toBe(1);
  sources[0]!.refuse();
  await vi.advanceTimersByTimeAsync(AGAIN_MS - 1);
  expect(seen).toEqual([new Error("why")]);
  expect(sources.length).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(sources.length).toBe(2);
  running.stop();
});
