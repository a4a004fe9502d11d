/** Cache: what it saves, and forgetting with a look at what would go. */

import { mail } from "./stage/policies";
import { expect, test } from "./stage/test";

test("hits are counted and a route's answers are forgotten", async ({ page, upstream, start, open }) => {
  const gateway = await start({ policies: { "mail.yaml": mail(upstream.url) } });
  await gateway.calls(3, "/mail/list/1");
  await gateway.call("/mail/list/2");
  expect(upstream.calls).toBe(2);
  await open(gateway, "/cache");
  const row = page.getByRole("row").filter({ hasText: "mail-list" });
  await expect(row.getByRole("cell").nth(0)).toHaveText("2"); // hits
  await expect(row.getByRole("cell").nth(1)).toHaveText("50%");
  await expect(row.getByRole("cell").nth(2)).toHaveText("2"); // entries

  await row.getByRole("button", { name: "Purge" }).click();
  const dialog = page.getByRole("dialog", { name: "Forget everything that mail-list stored" });
  await expect(dialog).toContainText(/2 stored, \d/);
  await dialog.getByLabel("Why").fill("a wrong letter");
  await dialog.getByRole("button", { name: "Purge" }).click();
  await expect(page.getByRole("status").filter({ hasText: "Purged: 2 stored answers." })).toBeVisible();
  await expect(row.getByRole("cell").nth(2)).toHaveText("0");

  await gateway.call("/mail/list/1");
  expect(upstream.calls).toBe(3);
});

test("one URL is forgotten, or made stale, and nothing else", async ({ page, upstream, start, open }) => {
  const gateway = await start({ policies: { "mail.yaml": mail(upstream.url) } });
  for (const path of ["/mail/list/1", "/mail/list/2"]) await gateway.call(path);
  await open(gateway, "/cache");
  await page.getByLabel("One URL, all variants").fill(`${gateway.data}/mail/list/1`);
  await page.getByLabel("One URL, all variants").press("Enter");
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText(/1 stored, \d/);
  await dialog.getByLabel("Only make them stale").check();
  await expect(dialog).toContainText("They are stale from now on");
  await dialog.getByRole("button", { name: "Purge" }).click();
  await expect(page.getByRole("status").filter({ hasText: "Stale from now on: 1 stored answer." })).toBeVisible();
  const before = upstream.calls;
  await gateway.call("/mail/list/2");
  expect(upstream.calls).toBe(before);
  await gateway.call("/mail/list/1");
  expect(upstream.calls).toBe(before + 1);
});

test("a gateway that caches nothing says how to", async ({ page, start, open }) => {
  const gateway = await start();
  await open(gateway, "/cache");
  await expect(page.getByText("No route caches.")).toBeVisible();
  await expect(page.getByText("cache: { fresh_for: 30s }")).toBeVisible();
});
