import { expect, it } from "vitest";
import { merged } from "./merge";

const BASE = "a\nb\nc\nd\ne\nf\n";

it("keeps both where they are apart", () => {
  expect(merged(BASE, "a\nB\nc\nd\ne\nf\n", "a\nb\nc\nd\nE\nf\n")).toEqual({ text: "a\nB\nc\nd\nE\nf\n", conflicts: 0 });
  expect(merged(BASE, "b\nc\nd\ne\nf\n", `${BASE}g\n`)).toEqual({ text: "b\nc\nd\ne\nf\ng\n", conflicts: 0 });
});

it("keeps mine and says so where they touch", () => {
  expect(merged(BASE, "a\nX\nc\nd\ne\nf\n", "a\nY\nc\nd\ne\nf\n")).toEqual({ text: "a\nY\nc\nd\ne\nf\n", conflicts: 1 });
  expect(merged(BASE, "a\nb\nX\nd\ne\nf\n", "a\nY\nc\nd\ne\nF\n").conflicts).toBe(1);
});

it("takes the same change once, and the one side where only one changed", () => {
  const both = "a\nB\nc\nd\ne\nf\n";
  expect(merged(BASE, both, both)).toEqual({ text: both, conflicts: 0 });
  expect(merged(BASE, `${both}# theirs\n`, both)).toEqual({ text: `${both}# theirs\n`, conflicts: 0 });
  expect(merged(BASE, BASE, both).text).toBe(both);
  expect(merged(BASE, both, BASE).text).toBe(both);
});

it("keeps the end of the text as whoever changed it wants it", () => {
  expect(merged("a\nb\nc", "A\nb\nc", "a\nb\nc\n").text).toBe("A\nb\nc\n");
  expect(merged("a\nb\nc\n", "A\nb\nc", "a\nb\nC\n").text).toBe("A\nb\nC");
});
