/** Capacity: reservations are set, paused and released, and hold at once. */

import type { Page } from "@playwright/test";
import { mail } from "./stage/policies";
import { expect, test } from "./stage/test";

const row = (page: Page, name: string) => page.getByRole("row").filter({ has: page.getByRole("rowheader", { name }) });

async function confirm(page: Page, reason: string): Promise<void> {
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Why").fill(reason);
  await dialog.getByRole("button", { name: "Apply" }).click();
}

test("a paused function's calls are refused until it is released", async ({ page, upstream, start, open }) => {
  const text = mail(upstream.url);
  const gateway = await start({ policies: { "mail.yaml": text } });
  expect((await gateway.call("/mail/receive/1", { method: "POST" })).status).toBe(200);
  await open(gateway, "/capacity");
  await row(page, "mail-receive").getByRole("button", { name: "Pause" }).click();
  await expect(page.getByRole("dialog")).toContainText("30 → paused; 100 stay unreserved.");
  await confirm(page, "the disk is full");
  await expect(page.getByRole("status").filter({ hasText: "Written to mail.yaml; revision 2 runs." })).toBeVisible();
  expect(gateway.read("mail.yaml")).toBe(text.replace("reserved: 30", "reserved: 0"));

  const refused = await fetch(`${gateway.data}/mail/receive/1`, { method: "POST" });
  expect(refused.status).toBe(429);
  expect(await refused.json()).toMatchObject({ code: "quota_full" });
  await expect(row(page, "mail-receive").getByText("paused")).toBeVisible();
  await expect(row(page, "mail-receive").getByRole("cell").nth(3)).toHaveText("1"); // throttled

  await row(page, "mail-receive").getByRole("button", { name: "Release" }).click();
  await confirm(page, "cleared");
  await expect(page.getByRole("status").filter({ hasText: "revision 3 runs" })).toBeVisible();
  expect((await gateway.call("/mail/receive/1", { method: "POST" })).status).toBe(200);
});

test("what is in use is seen while it is", async ({ page, upstream, start, open }) => {
  const gateway = await start({ policies: { "mail.yaml": mail(upstream.url) } });
  await open(gateway, "/capacity");
  const used = row(page, "reports").getByRole("cell").nth(1);
  await expect(used).toHaveText("0");
  const calls = [1, 2, 3].map((at) => gateway.call(`/hold/${at}`));
  await expect(used).toHaveText("3");
  await expect(page.getByText("3 of 100 in use")).toBeVisible();
  upstream.release();
  await Promise.all(calls);
  await expect(used).toHaveText("0");
  await expect(row(page, "reports").getByRole("cell").nth(2)).toHaveText("3"); // the peak stays
});

test("more than there is, is refused in the dialog, which stays with what was written", async ({ page, upstream, start, open }) => {
  const text = mail(upstream.url);
  const gateway = await start({ policies: { "mail.yaml": text } });
  await open(gateway, "/capacity");
  const slots = page.getByLabel("Slots reserved for mail-receive");
  await slots.fill("90");
  await slots.press("Enter");
  await confirm(page, "the big import");
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("alert")).toContainText(/unreserved/);
  await expect(dialog.getByLabel("Why")).toHaveValue("the big import");
  expect(gateway.read("mail.yaml")).toBe(text);
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
  await expect(slots).toHaveValue("90");
  await slots.fill("80");
  await slots.press("Enter");
  await confirm(page, "just enough");
  await expect(page.getByRole("status").filter({ hasText: "revision 2 runs" })).toBeVisible();
  expect(gateway.read("mail.yaml")).toBe(text.replace("reserved: 30", "reserved: 80"));
});

test("a dialog keeps the focus and gives it back", async ({ page, upstream, start, open }) => {
  const gateway = await start({ policies: { "mail.yaml": mail(upstream.url) } });
  await open(gateway, "/capacity");
  const pause = row(page, "mail-receive").getByRole("button", { name: "Pause" });
  await pause.focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Pause mail-receive: every call of it is refused" });
  await expect(dialog).toBeVisible();
  for (let step = 0; step < 8; step += 1) {
    await page.keyboard.press("Tab");
    // Past its last field a dialog lets the browser's own bar have the focus, but nothing behind it.
    expect(await page.evaluate(() => document.activeElement === document.body || document.activeElement?.closest("dialog") !== null)).toBe(true);
  }
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
  await expect(pause).toBeFocused();
});
