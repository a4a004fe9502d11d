import { beforeEach, expect, it } from "vitest";
import { Drafts, DRAFTS_CHARS_MAX } from "./drafts.svelte";

beforeEach(() => sessionStorage.clear());

const draft = (text: string) => ({ base: "version: 1\n", etag: '"a"', text });

it("keeps what was written over a reload, for the one who wrote it", () => {
  const drafts = new Drafts(sessionStorage, "eda");
  drafts.write("mail.yaml", draft("version: 1\n# mine\n"));
  expect(new Drafts(sessionStorage, "eda").of("mail.yaml")).toEqual(draft("version: 1\n# mine\n"));
  expect(new Drafts(sessionStorage, "vera").of("mail.yaml")).toBeNull();
});

it("forgets a draft that says what the file says, but not an untouched new file", () => {
  const drafts = new Drafts(sessionStorage, "eda");
  drafts.write("mail.yaml", draft("# mine"));
  drafts.write("new.yaml", { base: "", etag: null, text: "" });
  drafts.write("mail.yaml", draft("version: 1\n"));
  expect(Object.keys(drafts.all)).toEqual(["new.yaml"]);
  drafts.drop("new.yaml");
  expect(sessionStorage.length).toBe(0);
});

it("says so where a draft is too large to be kept, and keeps no older one in its place", () => {
  const drafts = new Drafts(sessionStorage, "eda");
  drafts.write("mail.yaml", draft("# small"));
  drafts.write("mail.yaml", draft("#".repeat(DRAFTS_CHARS_MAX)));
  expect(drafts.kept).toBe(false);
  expect(drafts.of("mail.yaml")!.text).toHaveLength(DRAFTS_CHARS_MAX);
  expect(new Drafts(sessionStorage, "eda").of("mail.yaml")).toBeNull();
  drafts.write("mail.yaml", draft("# small again"));
  expect(drafts.kept).toBe(true);
});

it("takes nothing from the store that it did not write", () => {
  for (const text of ["{", "7", "null", '{"a.yaml":{"base":1}}', '{"a.yaml":null}']) {
    sessionStorage.setItem("sumun.drafts.eda", text);
    expect(new Drafts(sessionStorage, "eda").all).toEqual({});
  }
});
