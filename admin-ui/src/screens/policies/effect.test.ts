import { expect, it } from "vitest";
import type { Preview, Sums } from "../../api/types";
import { changes, path, share } from "./effect";

const sums = (refused: number): Sums => ({ admitted: 10, refused, refused_by: {}, shadow_refused_by: {} });
const row = (route: string, now: number, draft: number): Preview["routes"][number] => ({ route, class: "batch", calls: 10, not_replayed: 0, now: sums(now), draft: sums(draft) });

it("puts the route first that the draft changes most, and leaves out those nobody refuses", () => {
  const routes = [row("quiet", 0, 0), row("same", 5, 5), row("worse", 0, 7), row("better", 4, 0)];
  expect(changes({ routes } as Preview).map(({ route }) => route)).toEqual(["worse", "better", "same"]);
});

it("tells a small share from none", () => {
  expect(share(1_204, 88_310, "en")).toBe("1.4%");
  expect(share(0, 88_310, "en")).toBe("0%");
  expect(share(50, 100, "en")).toBe("50%");
  expect(share(0, 0, "en")).toBe("–");
});

it("draws both lines on one scale", () => {
  const series = { every_s: 1, calls: [9, 9, 9], refused_now: [0, 1, 0], refused_draft: [0, 4, 2] };
  expect(path(series.refused_draft, series)).toBe("M0.0 39.0L150.0 1.0L300.0 20.0");
  expect(path(series.refused_now, series)).toBe("M0.0 39.0L150.0 29.5L300.0 39.0");
  expect(path([], series)).toBe("");
});
