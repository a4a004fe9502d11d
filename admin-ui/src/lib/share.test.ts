import { describe, expect, it } from "vitest";
import { share } from "./share";

describe("share", () => {
  it("stays between nothing and all", () => {
    expect([share(-1, 4), share(1, 4), share(9, 4)]).toEqual([0, 0.25, 1]);
  });
});
