/** What the page weighs, and how it is sent. */

import { readFileSync } from "node:fs";
import { get, type IncomingHttpHeaders } from "node:http";
import { brotliCompressSync, brotliDecompressSync } from "node:zlib";
import type { Page } from "@playwright/test";
import { DIST } from "./stage/places";
import { mail } from "./stage/policies";
import { expect, test } from "./stage/test";

/** Brotli bytes until the first screen stands. */
const FIRST_BYTES_MAX = 60 * 1024;

/** Brotli bytes of the text editor, which comes when it is first used. */
const EDITOR_BYTES_MAX = 115 * 1024;

/** Files of the page (not of the API) that are asked for from now on. */
function files(page: Page): Set<string> {
  const asked = new Set<string>();
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (!pathname.startsWith("/api/")) asked.add(request.isNavigationRequest() ? "/index.html" : pathname);
  });
  return asked;
}

const weight = (asked: Iterable<string>): number => [...asked].reduce((sum, file) => sum + brotliCompressSync(readFileSync(`${DIST}${file}`)).length, 0);

const kib = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;

test("the first load and the editor stay within their budgets", async ({ page, upstream, start }, info) => {
  const gateway = await start({ policies: { "mail.yaml": mail(upstream.url) } });
  const first = files(page);
  await page.goto(gateway.link);
  await expect(page.getByRole("rowheader", { name: "mail-list" })).toBeVisible();
  await page.waitForLoadState("load");
  const loaded = weight(first);
  expect(first.size).toBeGreaterThan(4);

  await page.getByRole("link", { name: "Policies" }).click();
  await expect(page.getByRole("slider").first()).toBeVisible();
  const before = new Set(first);
  await page.getByRole("button", { name: "Text" }).click();
  await expect(page.getByRole("textbox", { name: "mail.yaml" })).toBeVisible();
  const editor = weight([...first].filter((file) => !before.has(file)));
  const policies = weight([...before]) - loaded;
  const told = `first load ${kib(loaded)}, then the Policies screen ${kib(policies)}, then the editor ${kib(editor)} (brotli)`;
  info.annotations.push({ type: "weight", description: told });
  process.stdout.write(`${told}\n`);
  expect(loaded, told).toBeLessThanOrEqual(FIRST_BYTES_MAX);
  expect(editor, told).toBeGreaterThan(1024);
  expect(editor, told).toBeLessThanOrEqual(EDITOR_BYTES_MAX);
});

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** The bytes as they are sent, which a browser's `fetch` would not show. */
const ask = (url: string, headers: Record<string, string>): Promise<Answer> =>
  new Promise((answered, failed) => {
    get(url, { headers }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => answered({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }));
    }).on("error", failed);
  });

test("files are sent compressed, with a tag that spares the next one, and none of them to be guessed", async ({ page, start }) => {
  const gateway = await start();
  const asked = files(page);
  await page.goto(gateway.link);
  await expect(page.getByRole("rowheader", { name: "everything" })).toBeVisible();
  for (const file of asked) {
    const url = `${gateway.admin}${file}`;
    const whole = readFileSync(`${DIST}${file}`);
    const plain = await ask(url, {});
    expect(plain.body.equals(whole), file).toBe(true);
    const sent = await ask(url, { "accept-encoding": "gzip, deflate, br" });
    expect(sent.headers["x-content-type-options"], file).toBe("nosniff");
    expect(sent.headers["content-security-policy"], file).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
    // Too small to be worth it: as they are.
    if (whole.length > 1024) {
      expect(sent.headers["content-encoding"], file).toBe("br");
      expect(sent.headers.vary, file).toMatch(/accept-encoding/i);
      expect(brotliDecompressSync(sent.body).equals(whole), file).toBe(true);
      expect(sent.body.length, file).toBeLessThan(whole.length * 0.8);
    }
    const etag = sent.headers.etag ?? "";
    expect(etag, file).toMatch(/^W\/"[0-9a-f]{32}"$/);
    const again = await ask(url, { "accept-encoding": "br", "if-none-match": etag });
    expect([again.status, again.body.length], file).toEqual([304, 0]);
  }
});
