import { expect, it } from "vitest";
import en from "./en";
import ko from "./ko";
import { preferred } from "./language.svelte";

/** Every text under its path, so that two languages can be compared. */
function texts(from: object, path = ""): [string, unknown][] {
  return Object.entries(from).flatMap(([key, value]) =>
    typeof value === "object" && value !== null ? texts(value, `${path}${key}.`) : [[`${path}${key}`, value] as [string, unknown]],
  );
}

/** Texts that belong to one screen. */
const screens = import.meta.glob<{ texts: { en: object; ko: object } }>("../screens/*/texts.ts", { eager: true });

it("every language says everything, on every screen", () => {
  for (const [file, { texts: own }] of Object.entries(screens)) {
    expect(texts(own.ko).map(([key]) => key), file).toEqual(texts(own.en).map(([key]) => key));
    const foreign = texts(own.ko).filter(([, text]) => typeof text === "string" && !/[가-힣]/.test(text));
    expect(foreign, file).toEqual([]);
  }
  expect(Object.keys(screens).length).toBeGreaterThanOrEqual(4);
});

it("every language says everything", () => {
  expect(texts(ko).map(([key]) => key)).toEqual(texts(en).map(([key]) => key));
  for (const [key, text] of [...texts(en), ...texts(ko)]) {
    const said = key.startsWith("theme") ? (text as (of: string) => string)("dark") : typeof text === "function" ? text(2, 3) : text;
    expect(String(said).trim(), key).not.toBe("");
  }
});

it("Korean is Korean but for names that are the same everywhere", () => {
  const same = texts(ko).filter(([key, text]) => typeof text === "string" && !/[가-힣]/.test(text) && !key.startsWith("language"));
  expect(same.map(([key]) => key).sort()).toEqual(["latency", "loginFile", "reasons.cpu_over"]);
});

it("begins with what was chosen, else what the browser asks for, else English", () => {
  expect(preferred("ko", ["en"])).toBe("ko");
  expect(preferred(null, ["fr-FR", "ko-KR", "en"])).toBe("ko");
  expect(preferred(null, ["en-GB", "ko"])).toBe("en");
  expect(preferred("xx", [])).toBe("en");
});
