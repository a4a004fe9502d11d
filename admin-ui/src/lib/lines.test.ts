import { expect, it } from "vitest";
import { difference } from "./lines";

const shown = (before: string, after: string) =>
  difference(before, after).map(({ kind, text }) => ({ same: " ", added: "+", removed: "-", gap: "…" })[kind] + text);

it("shows what came and went with lines around", () => {
  expect(shown("a\nb\nc\n", "a\nB\nc\n")).toEqual([" a", "-b", "+B", " c"]);
  expect(shown("", "a\nb\n")).toEqual(["+a", "+b"]);
  expect(shown("a\n", "")).toEqual(["-a"]);
});

it("says nothing of equal texts but that there are some", () => {
  expect(shown("a\nb\n", "a\nb\n")).toEqual(["…"]);
});

it("leaves out what is far away", () => {
  const lines = Array.from({ length: 20 }, (_, at) => `l${at}`);
  const after = lines.map((line) => (line === "l10" ? "new" : line));
  expect(shown(lines.join("\n"), after.join("\n"))).toEqual(["…", " l7", " l8", " l9", "-l10", "+new", " l11", " l12", " l13", "…"]);
});

it("finds a moved line as gone and come, whichever is longer", () => {
  const lines = shown("a\nb\nc\nd\n", "b\nc\nd\na\n");
  expect(lines.filter((line) => line !== "…")).toEqual(["-a", " b", " c", " d", "+a"]);
});

it("applied to the old text gives the new one, whatever the two are", () => {
  let seed = 7;
  const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
  for (let round = 0; round < 300; round += 1) {
    const make = () => Array.from({ length: random(8) }, () => "xyz"[random(3)]).join("\n");
    const [before, after] = [make(), make()];
    const lines = difference(before, after);
    const of = (kinds: string[]) => lines.filter(({ kind }) => kinds.includes(kind)).map(({ text }) => text);
    if (lines.some(({ kind }) => kind === "gap")) continue; // left-out lines are the same on both sides
    expect(of(["same", "removed"])).toEqual(before === "" ? [] : before.split("\n"));
    expect(of(["same", "added"])).toEqual(after === "" ? [] : after.split("\n"));
  }
});
