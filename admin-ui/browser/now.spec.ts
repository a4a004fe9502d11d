/** Now: is anyone being refused, and why? */

import { mail, tight } from "./stage/policies";
import { expect, test } from "./stage/test";
import { until } from "./stage/until";

test("a route is there as soon as its file is", async ({ page, upstream, start, open }) => {
  const gateway = await start();
  await open(gateway, "/now");
  await expect(page.getByRole("rowheader", { name: "everything" })).toBeVisible();
  gateway.write("feed.yaml", tight(upstream.url));
  await expect(page.getByRole("rowheader", { name: "feed" })).toBeVisible();
});

test("whoever is refused stands first, with the reason", async ({ page, upstream, start, open }) => {
  const gateway = await start({ policies: { "feed.yaml": tight(upstream.url), "mail.yaml": mail(upstream.url) } });
  await open(gateway, "/now");
  const rows = page.getByRole("region", { name: "Routes" }).getByRole("row");
  await expect(rows).toHaveCount(6); // five routes and their head
  const first = rows.nth(1);
  await expect(first).toContainText("feed"); // nobody is refused: by name
  await expect(first).toContainText("none");

  const statuses = await gateway.calls(12, "/mail/receive/1", { method: "POST" });
  expect(statuses).toEqual({ 200: 12 });
  const refused = (await gateway.calls(9, "/feed/1"))[429] ?? 0;
  expect(refused).toBeGreaterThanOrEqual(7);
  await expect(first).toContainText(new RegExp(`feed[^]*${refused}[^]*rate ${refused}`));
  const delivered = rows.filter({ hasText: "mail-receive" });
  await expect(delivered.getByRole("cell").nth(3)).toHaveText("12"); // admitted
  await expect(delivered).toContainText("workers 10%"); // 2 of 20 threads
});

test("what the upstream says of itself is shown as it changes", async ({ page, upstream, start, open }) => {
  const gateway = await start({ policies: { "mail.yaml": mail(upstream.url) } });
  await open(gateway, "/now");
  const row = page.getByRole("row").filter({ hasText: "mail-receive" }).first();
  await expect(row).toContainText("workers 10%");
  upstream.load = { busy: 19, max: 20, cpu: 0.9 };
  await expect(row).toContainText("workers 95%");
  await expect(row).toContainText("over its threshold");
});

test("a file with a problem is said where everybody looks, and the old policy runs on", async ({ page, upstream, start, open }) => {
  const gateway = await start({ policies: { "mail.yaml": mail(upstream.url) } });
  await open(gateway, "/now");
  gateway.write("mail.yaml", mail(upstream.url).replace("class: batch", "class: bathc"));
  await expect(page.getByRole("alert").filter({ hasText: "The policy files have 1 problem." })).toBeVisible();
  expect((await gateway.call("/mail/read/1")).status).toBe(200);
  await page.getByRole("link", { name: "System" }).click();
  await expect(page.getByText(/^mail\.yaml:\d+:\d+$/)).toBeVisible();
});

test("hours and a day back are a key press away, and stay in the address", async ({ page, upstream, start, open }) => {
  const gateway = await start({ policies: { "feed.yaml": tight(upstream.url) } });
  await gateway.calls(9, "/feed/1");
  // Ten seconds that have ended.
  await until("the calls among those of six hours", async () => {
    const sparks = (await (await gateway.api("GET", "series/routes?span=6h")).json()) as { routes: Record<string, { refused: number[] }> };
    return sparks.routes["feed"]?.refused.some((refused) => refused > 0);
  });
  await open(gateway, "/now");
  const line = page.getByRole("row").filter({ hasText: "feed" }).getByRole("img");
  await expect(line).toHaveAccessibleName(/calls\/s, \d+ refused$/);
  const chosen = (name: string) => page.getByRole("radio", { name, exact: true });
  await expect(chosen("Live")).toBeChecked();
  await chosen("Live").focus();
  await page.keyboard.press("ArrowRight");
  await expect(chosen("6 h")).toBeFocused();
  await expect(page.getByRole("columnheader", { name: "Last 6 hours" })).toBeVisible();
  await expect(line).toHaveAccessibleName(/calls\/s, at most \S+ refused\/s$/);
  await page.reload();
  await expect(chosen("6 h")).toBeChecked();
  await expect(line).toHaveAccessibleName(/refused\/s$/);
  await chosen("6 h").focus();
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("columnheader", { name: "Last 24 hours" })).toBeVisible();
  await page.keyboard.press("ArrowRight");
  await expect(chosen("Live")).toBeChecked();
  await expect(page.getByRole("columnheader", { name: "Last minute" })).toBeVisible();
  expect(new URL(page.url()).search).toBe("");
});
