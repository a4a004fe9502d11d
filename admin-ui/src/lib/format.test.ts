import { expect, it } from "vitest";
import { count, elapsed, milliseconds, percent, rate } from "./format";

it("counts are grouped, and short when they are large", () => {
  expect([0, 999, 1_204, 88_310, 1_250_000].map((value) => count(value, "en"))).toEqual(["0", "999", "1,204", "88,310", "1.3M"]);
  expect(count(1_250_000, "ko")).toBe("125만");
});

it("rates have a decimal while they are small", () => {
  expect([0, 0.35, 9.94, 10, 1234.5].map((value) => rate(value, "en"))).toEqual(["0", "0.4", "9.9", "10", "1,235"]);
});

it("shares are percentages or a dash", () => {
  expect([0, 0.914, 1, null, NaN].map((share) => percent(share, "en"))).toEqual(["0%", "91%", "100%", "–", "–"]);
});

it("milliseconds have a decimal while they are few", () => {
  expect([0.42, 12.4, 1250, null].map((value) => milliseconds(value, "en"))).toEqual(["0.4", "12", "1,250", "–"]);
});

it("times are told in their two largest units", () => {
  expect([-1, 0, 42, 60, 185, 7_800, 356_400].map((seconds) => elapsed(seconds, "en"))).toEqual(["0s", "0s", "42s", "1m", "3m 5s", "2h 10m", "4d 3h"]);
  expect([185, 7_800].map((seconds) => elapsed(seconds, "ko"))).toEqual(["3분 5초", "2시간 10분"]);
});
