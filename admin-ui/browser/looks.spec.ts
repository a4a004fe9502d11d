/**
 * How it looks, for eyes and for screen readers: axe on every screen, dialog and view, in light and dark; and
 * screenshots of each, kept under `browser/screens` of the target folder to be looked at.
 */

import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { rewrite } from "./stage/editor";
import type { Gateway } from "./stage/gateway";
import { sideways } from "./stage/guard";
import { OUT } from "./stage/places";
import { long, mail, tight } from "./stage/policies";
import { SCREENS } from "./stage/screens";
import { expect, test } from "./stage/test";
import { until } from "./stage/until";
import type { Upstream } from "./stage/upstream";

/** Less of a layout shift is no jump: a figure at the right of its column that gains a digit begins further left. */
const SHIFT_MIN = 0.001;

/** Looks at the page in both themes, and keeps a picture of each. */
async function look(page: Page, name: string): Promise<void> {
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme });
    const { violations } = await new AxeBuilder({ page }).analyze();
    const told = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("; ")}`);
    expect(told, `axe: ${name}, ${theme}`).toEqual([]);
    expect(await sideways(page), name).toEqual([]);
    await keep(page, `${name}-${theme}`);
  }
  await page.emulateMedia({ colorScheme: "light" });
}

async function keep(page: Page, name: string): Promise<void> {
  // What measures itself, as the editor does, has drawn itself anew after the next frame.
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  // A dialog stands in the window, not on the page.
  const fullPage = (await page.locator("dialog[open]").count()) === 0;
  await page.screenshot({ path: `${OUT}/screens/${name}.png`, fullPage, animations: "disabled" });
}

/** A gateway in the middle of its day: calls in flight, from the cache, refused, counted in shadow. */
async function busy(start: (policies: { policies: Record<string, string> }) => Promise<Gateway>, upstream: Upstream): Promise<Gateway> {
  const { url } = upstream;
  const gateway = await start({ policies: { "feed.yaml": tight(url), "long.yaml": long(url), "mail.yaml": mail(url) } });
  upstream.load = { busy: 12, max: 20, cpu: 0.46 };
  for (let at = 0; at < 5; at += 1) void gateway.call(`/hold/${at}`).catch(() => undefined); // ended with the test
  await gateway.calls(9, "/feed/1");
  await gateway.calls(5, "/mail/list/1");
  await gateway.call("/mail/list/2");
  await gateway.calls(12, "/mail/receive/1", { method: "POST" });
  await gateway.calls(6, "/warehouse/v2/regions/7/inventory/reconciliation/1", { method: "POST" });
  await gateway.save("mail.yaml", mail(url).replace("burst: 40", "burst: 60"), "deliveries come in bursts of sixty");
  return gateway;
}

for (const { path, ready } of SCREENS) {
  const name = path.split(/[/?]/)[0]!;
  test(`${name} in light and dark, in Korean, on a telephone`, async ({ page, upstream, start, open }) => {
    const gateway = await busy(start, upstream);
    await open(gateway, `/${path.replace("history/1", "history/2")}`);
    await ready(page);
    if (name === "traces") await page.getByRole("listitem").filter({ hasText: "429" }).first().getByRole("link").click();
    if (name === "traces") await expect(page.getByRole("region", { name: /^Refused/ })).toBeVisible();
    await look(page, name);
    await page.setViewportSize({ width: 375, height: 800 });
    await keep(page, `${name}-narrow`);
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.getByRole("button", { name: "한국어로 보기" }).click();
    await look(page, `${name}-ko`);
  });
}

test("the login, before and after a mistake", async ({ page, start }) => {
  const gateway = await start();
  await page.goto(gateway.admin);
  await expect(page.getByRole("heading", { name: "Log in to this gateway" })).toBeVisible();
  await look(page, "login");
  await page.getByLabel("Token").fill("short");
  await page.getByRole("button", { name: "Log in with the token" }).click();
  await expect(page.getByRole("alert")).toHaveText(/\S/);
  await look(page, "login-wrong");
  await page.setViewportSize({ width: 375, height: 800 });
  await keep(page, "login-narrow");
});

for (const [path, there] of [["capacity", "No functions yet."], ["cache", "No route caches."]] as const) {
  test(`${path} where there is nothing yet teaches`, async ({ page, start, open }) => {
    const gateway = await start();
    await open(gateway, `/${path}`);
    await expect(page.getByText(there)).toBeVisible();
    await look(page, `${path}-empty`);
  });
}

test("the text with a problem, and the last look before a change", async ({ page, upstream, start, open }) => {
  const gateway = await busy(start, upstream);
  await open(gateway, "/policies?file=mail.yaml&route=mail-receive&view=text");
  await rewrite(page, "mail.yaml", mail(upstream.url).replace("class: batch", "class: bathc"));
  await expect(page.getByRole("heading", { name: /^1 problem/ })).toBeVisible();
  await look(page, "policies-problem");
  await rewrite(page, "mail.yaml", mail(upstream.url).replace("limit: 200", "limit: 5"));
  await expect(page.getByRole("heading", { name: "What would change" })).toBeVisible();
  await look(page, "policies-text");
  await page.getByRole("button", { name: "Check and save …" }).click();
  await expect(page.getByRole("dialog")).toBeVisible();
  await look(page, "policies-save");
});

test("both texts beside each other where two changed a file", async ({ page, upstream, start, open }) => {
  const gateway = await busy(start, upstream);
  await open(gateway, "/policies?file=mail.yaml&route=mail-receive");
  await page.getByLabel("Calls per second").fill("150");
  await page.getByLabel("Calls per second").press("Tab");
  await gateway.save("mail.yaml", mail(upstream.url).replace("limit: 200", "limit: 99"), "another one");
  await page.getByRole("button", { name: "mail.yaml was changed meanwhile …" }).click();
  await expect(page.getByRole("textbox", { name: "What you go on with" })).toBeVisible();
  await look(page, "policies-conflict");
  await page.setViewportSize({ width: 375, height: 800 });
  await keep(page, "policies-conflict-narrow");
});

test("hours of every route", async ({ page, upstream, start, open }) => {
  const gateway = await busy(start, upstream);
  await until("figures of six hours", async () => {
    const sparks = (await (await gateway.api("GET", "series/routes?span=6h")).json()) as { routes: Record<string, { calls: number[] }> };
    return (sparks.routes["feed"]?.calls.length ?? 0) > 0;
  });
  await open(gateway, "/now?range=6h");
  await expect(page.getByRole("row").filter({ hasText: "feed" }).getByRole("img")).toHaveAccessibleName(/refused\/s$/);
  await page.getByRole("radio", { name: "6 h", exact: true }).focus();
  await look(page, "now-hours");
  await page.setViewportSize({ width: 375, height: 800 });
  await keep(page, "now-hours-narrow");
});

test("the questions before a pause and before a purge", async ({ page, upstream, start, open }) => {
  const gateway = await busy(start, upstream);
  await open(gateway, "/capacity");
  await page.getByRole("row").filter({ hasText: "mail-receive" }).getByRole("button", { name: "Pause" }).click();
  await look(page, "capacity-pause");
  await page.goto(`${gateway.admin}/cache`);
  await page.getByRole("row").filter({ hasText: "mail-list" }).getByRole("button", { name: "Purge" }).click();
  await expect(page.getByRole("dialog")).toContainText("2 stored");
  await look(page, "cache-purge");
});

test("old figures are marked as old", async ({ page, upstream, start, open }) => {
  const gateway = await busy(start, upstream);
  await open(gateway, "/now");
  await expect(page.getByRole("rowheader", { name: "mail-list" })).toBeVisible();
  gateway.freeze();
  await expect(page.getByText(/^No data for \d+ s\./)).toBeVisible();
  await look(page, "now-stale");
});

test("nothing jumps while figures come", async ({ page, upstream, start, open }) => {
  const gateway = await busy(start, upstream);
  await open(gateway, "/now");
  const row = page.getByRole("row").filter({ hasText: "mail-read" });
  await expect(row).toBeVisible();
  await page.evaluate((least) => {
    const seen = ((globalThis as unknown as { shifts: string[] }).shifts = []) as string[];
    new PerformanceObserver((list) => {
      for (const shift of list.getEntries() as (PerformanceEntry & { value: number; sources?: { node: Node | null }[] })[])
        if (shift.value >= least) seen.push(`${shift.value.toFixed(4)} ${shift.sources?.map(({ node }) => (node as Element | null)?.textContent?.trim().slice(0, 60)).join(" | ")}`);
    }).observe({ type: "layout-shift" });
  }, SHIFT_MIN);
  for (let round = 1; round <= 4; round += 1) {
    await gateway.calls(7, "/mail/read/1");
    await expect(row).toContainText(String(7 * round));
  }
  expect(await page.evaluate(() => (globalThis as unknown as { shifts: string[] }).shifts)).toEqual([]);
});
