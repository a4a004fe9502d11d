import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { poll } from "./poll";

class Page extends EventTarget {
  hidden = false;
  show(visible: boolean) {
    this.hidden = !visible;
    this.dispatchEvent(new Event("visibilitychange"));
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function start(read: () => Promise<number>) {
  const page = new Page();
  const seen: unknown[] = [];
  const running = poll({
    every_ms: 1_000,
    read,
    onData: (data) => seen.push(data),
    onFailure: (failure) => seen.push(failure),
    page: page as unknown as Document,
  });
  return { page, seen, running };
}

it("reads at once and then each second, also after a failure", async () => {
  let reads = 0;
  const { seen, running } = start(async () => {
    reads += 1;
    if (reads === 2) throw new Error("gone");
    return reads;
  });
  await vi.advanceTimersByTimeAsync(2_500);
  expect(seen).toEqual([1, new Error("gone"), 3]);
  running.stop();
});

it("never reads twice at the same time", async () => {
  let open = 0;
  let peak = 0;
  const { running } = start(async () => {
    peak = Math.max(peak, ++open);
    await new Promise((done) => setTimeout(done, 3_300));
    open -= 1;
    return open;
  });
  await vi.advanceTimersByTimeAsync(20_000);
  expect(peak).toBe(1);
  running.stop();
});

it("rests while the page is hidden and reads when it is shown again", async () => {
  let reads = 0;
  const { page, running } = start(async () => ++reads);
  await vi.advanceTimersByTimeAsync(0);
  page.show(false);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(reads).toBe(1);
  page.show(true);
  await vi.advanceTimersByTimeAsync(0);
  expect(reads).toBe(2);
  running.stop();
});

it("is silent once stopped, also about what it was reading", async () => {
  let reads = 0;
  const { page, seen, running } = start(async () => {
    reads += 1;
    await new Promise((done) => setTimeout(done, 100));
    return reads;
  });
  running.stop();
  page.show(true);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(reads).toBe(1);
  expect(seen).toEqual([]);
});
