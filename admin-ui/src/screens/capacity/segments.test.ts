import { describe, expect, it } from "vitest";
import { functions } from "../now/sample";
import { segments } from "./segments";

describe("segments", () => {
  it("fill the bar: reservations, then what is unreserved; none for a paused or sharing function", () => {
    const bar = segments(functions);
    expect(bar.map(({ name, slots }) => [name, slots])).toEqual([["mail-receive", 40], [null, 60]]);
    expect(bar.map(({ width }) => width)).toEqual([0.4, 0.6]);
    expect(bar.map(({ filled }) => filled)).toEqual([0.5, 0.1]);
  });
});
