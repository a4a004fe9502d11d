import { expect, it } from "vitest";
import { change, newlineOf, position } from "./text";

it("knows a file of CRLF lines from one that mixes them", () => {
  expect(newlineOf("a\r\nb\r\n")).toBe("\r\n");
  expect(newlineOf("a\r\nb\n")).toBe("\n");
  expect(newlineOf("")).toBe("\n");
});

it("touches what differs alone", () => {
  expect(change("a: 85%\nb\n", "a: 90%\nb\n", "\n")).toEqual({ from: 3, to: 5, insert: "90" });
  expect(change("a\r\nb\r\n", "a\r\nc\r\nb\r\n", "\r\n")).toEqual({ from: 2, to: 2, insert: "c\r\n" });
  expect(change("a", "a", "\n")).toBeNull();
  expect(change("aa", "aaa", "\n")).toEqual({ from: 2, to: 2, insert: "a" });
});

it("marks the word of a column, counted in characters", () => {
  expect(position("  class: bathc", 10)).toEqual({ from: 9, to: 14 });
  expect(position("# 😀: x", 3)).toEqual({ from: 2, to: 3 });
  expect(position("# 😀 word", 5)).toEqual({ from: 5, to: 9 });
  expect(position("", 9)).toEqual({ from: 0, to: 0 });
});
