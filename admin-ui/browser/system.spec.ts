/** System: what the gateway sees of its upstreams, what is wrong with that, and who did what. */

import { mail } from "./stage/policies";
import { expect, test } from "./stage/test";

test("an upstream is shown as it is, and what is wrong with its signals, with the remedy", async ({ page, upstream, start, open }) => {
  const gateway = await start({ policies: { "mail.yaml": mail(upstream.url) } });
  await open(gateway, "/system");
  const endpoint = page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: "mailbox" }) });
  await expect(endpoint).toContainText("workers 10%");
  await expect(endpoint).toContainText("CPU 20%");
  await expect(page.getByText("Every configured signal is read.")).toBeVisible();
  upstream.load = null;
  const finding = page.getByRole("region", { name: "What the doctor says" }).getByRole("listitem").first();
  await expect(finding).toContainText("mailbox");
  await expect(finding).toContainText("404");
  upstream.load = { busy: 4, max: 20, cpu: 0.2 };
  await expect(page.getByText("Every configured signal is read.")).toBeVisible();
  await expect(endpoint).toContainText("workers 20%");
});

test("a file of keys that can't be used is named, without what stands in it, until it can", async ({ page, upstream, start, open }) => {
  const gateway = await start({
    policies: { "mail.yaml": mail(upstream.url), keys: "orders first-key\n" },
    settings: "callers: { by: [api_key:X-Api-Key], api_keys: policies/keys }\n",
  });
  await open(gateway, "/system");
  const problems = page.getByRole("region", { name: "Problems of the files of keys" });
  await expect(page.getByRole("region", { name: "What the doctor says" })).toBeVisible();
  await expect(problems).toHaveCount(0);
  gateway.write("keys", "orders spoilt key\n");
  await expect(problems.getByRole("listitem")).toContainText("callers.api_keys policies/keys:1");
  await expect(problems).not.toContainText("spoilt");
  gateway.write("keys", "billing second-key\n");
  await expect(problems).toHaveCount(0);
});

test("every change and every attempt stands in the audit log, and who made it", async ({ page, upstream, start, enter, withUsers }) => {
  const gateway = await start({ policies: { "mail.yaml": mail(upstream.url) }, settings: withUsers });
  await gateway.save("mail.yaml", `${mail(upstream.url)}# quiet\n`, "야간 점검");
  const pausing = await fetch(`${gateway.admin}/api/v1/session`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ user: "vera", password: "not the password" }) });
  expect(pausing.status).toBe(401);
  await enter(gateway, "ada");
  await page.goto(`${gateway.admin}/system`);
  const log = page.getByRole("region", { name: "Who did what" }).getByRole("row");
  const saved = log.filter({ hasText: "PUT /api/v1/policies/mail.yaml" });
  await expect(saved).toContainText("token");
  await expect(saved).toContainText("야간 점검");
  await expect(saved).toContainText("done");
  const rejected = log.filter({ hasText: "vera" });
  await expect(rejected).toContainText("refused");
  await expect(rejected).toContainText("401");
});
