/** History: who changed what and why, and the way back. */

import { mail } from "./stage/policies";
import { expect, test } from "./stage/test";

test("a change by a program is shown with its reason and difference, and taken back", async ({ page, upstream, start, open }) => {
  const text = mail(upstream.url);
  const gateway = await start({ policies: { "mail.yaml": text } });
  await open(gateway, "/history");
  const list = page.getByRole("navigation", { name: "Revisions" }).getByRole("listitem");
  await expect(list).toHaveCount(1);
  await gateway.save("mail.yaml", text.replace("limit: 200", "limit: 150"), "밤에는 적게");
  await expect(list).toHaveCount(2);
  await expect(list.first()).toContainText("밤에는 적게");
  await expect(list.first()).toContainText("runs now");

  await list.first().getByRole("link").click();
  await expect(page.getByRole("heading", { level: 2 })).toHaveText("revision 2: 밤에는 적게");
  await expect(page.getByRole("main")).toContainText("by token (127.0.0.1)");
  const lines = page.getByRole("region", { name: "mail.yaml" });
  await expect(lines).toContainText("+      rps: { limit: 150, burst: 40 }");
  await expect(lines).toContainText("−      rps: { limit: 200, burst: 40 }");
  await expect(page.getByRole("button", { name: "Restore this" })).toHaveCount(0); // it runs

  await list.last().getByRole("link").click();
  await page.getByRole("button", { name: "Restore this" }).click();
  const dialog = page.getByRole("dialog", { name: "Make revision 1 the policy again" });
  await dialog.getByLabel("Why").fill("too few");
  await dialog.getByRole("button", { name: "Restore this" }).click();
  await expect(page.getByRole("status").filter({ hasText: "Revision 1 runs again, as revision 3." })).toBeVisible();
  await expect(page).toHaveURL(`${gateway.admin}/history/3`);
  expect(gateway.read("mail.yaml")).toBe(text);
  await expect(list).toHaveCount(3);
  await expect(list.first()).toContainText("too few");
});

test("an edit by hand is a revision too", async ({ page, upstream, start, open }) => {
  const text = mail(upstream.url);
  const gateway = await start({ policies: { "mail.yaml": text } });
  await open(gateway, "/history");
  gateway.write("mail.yaml", text.replace("limit: 200", "limit: 20"));
  const newest = page.getByRole("navigation", { name: "Revisions" }).getByRole("listitem").first();
  await expect(newest).toContainText("edited by hand");
  await expect(newest).toContainText("found in the folder");
});

test("a change for a time ends by itself, and stands here until it does", async ({ page, upstream, start, open }) => {
  const text = mail(upstream.url);
  const gateway = await start({ policies: { "mail.yaml": text } });
  await gateway.save("mail.yaml", text.replace("limit: 200", "limit: 10"), "only for the test", { "x-revert-after": "6s" });
  await open(gateway, "/history");
  const waiting = page.getByText(/^mail\.yaml becomes again what it was at /);
  await expect(waiting).toBeVisible();
  const newest = page.getByRole("navigation", { name: "Revisions" }).getByRole("listitem").first();
  await expect(newest).toContainText("the time of the change is over: only for the test");
  await expect(waiting).toHaveCount(0);
  expect(gateway.read("mail.yaml")).toBe(text);
});
