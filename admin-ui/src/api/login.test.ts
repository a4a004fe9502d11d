import { expect, it } from "vitest";
import { takeToken, tokenIn } from "./login";

it("finds a token and nothing that is none", () => {
  const token = "0123456789abcdef";
  expect(tokenIn(`#token=${token}`)).toBe(token);
  for (const fragment of ["", "#", "#token=", "#token=short", "#other=0123456789abcdef", `#token=${"x".repeat(513)}`, "#token=0123456789%20abcdef"]) {
    expect(tokenIn(fragment), fragment).toBeNull();
  }
});

it("takes the token out of the address", () => {
  const replaced: string[] = [];
  const history = { replaceState: (_: unknown, __: string, url: string) => replaced.push(url) } as unknown as History;
  const location = { hash: "#token=0123456789abcdef", pathname: "/policies", search: "?file=a" } as Location;
  expect(takeToken(location, history)).toBe("0123456789abcdef");
  expect(replaced).toEqual(["/policies?file=a"]);
  expect(takeToken({ ...location, hash: "" }, history)).toBeNull();
  expect(replaced).toHaveLength(1);
});
