/** Policies: a change through the form, the text and the chart, with its effect in view before it runs. */

import type { Locator, Page } from "@playwright/test";
import { rewrite } from "./stage/editor";
import { mail, tight } from "./stage/policies";
import { expect, test } from "./stage/test";

const field = (page: Page, group: string, label: string): Locator => page.getByRole("group", { name: group, exact: true }).getByLabel(label);

/** Fills a field of the form and leaves it. */
async function put(page: Page, group: string, label: string, value: string): Promise<void> {
  await field(page, group, label).fill(value);
  await field(page, group, label).press("Tab");
}

/** Presses the button that opens the last look, says why and confirms. */
async function save(page: Page, reason: string, action = "Save"): Promise<void> {
  await page.getByRole("button", { name: "Check and save …" }).click();
  await page.getByRole("dialog").getByLabel("Why").fill(reason);
  await page.getByRole("dialog").getByRole("button", { name: action, exact: true }).click();
}

const saved = (page: Page, revision: number): Locator => page.getByRole("status").filter({ hasText: `mail.yaml is saved and runs as revision ${revision}.` });

test("the form changes its own line, tells what that means, and it holds once it is saved", async ({ page, upstream, start, open }) => {
  const text = mail(upstream.url);
  const gateway = await start({ policies: { "mail.yaml": text } });
  await open(gateway, "/policies?file=mail.yaml&route=mail-receive");
  await expect(page.getByText("Nothing is changed.")).toBeVisible();
  await put(page, "rate", "Calls per second", "1");
  await put(page, "rate", "Burst", "1");
  await expect(page.getByRole("heading", { name: "What would change" })).toBeVisible();
  await expect(page.getByRole("listitem").filter({ hasText: /mail-receive.*200.*1/ }).first()).toBeVisible();
  expect(gateway.read("mail.yaml")).toBe(text); // a draft is nobody else's

  await page.getByRole("button", { name: "Check and save …" }).click();
  const lines = page.getByRole("dialog").getByRole("region", { name: "Changed lines" });
  await expect(lines).toContainText("+      rps: { limit: 1, burst: 1 }");
  await page.keyboard.press("Escape");
  await save(page, "the import is too fast");
  await expect(saved(page, 2)).toBeVisible();
  expect(gateway.read("mail.yaml")).toBe(text.replace("{ limit: 200, burst: 40 }", "{ limit: 1, burst: 1 }"));
  const statuses = await gateway.calls(5, "/mail/receive/1", { method: "POST" });
  expect(statuses[429]).toBeGreaterThanOrEqual(3);
  await page.goto(`${gateway.admin}/history/2`);
  await expect(page.getByRole("heading", { level: 2 })).toHaveText("revision 2: the import is too fast");
});

test("a mistake in the text is shown where it is, and cannot be saved", async ({ page, upstream, start, open }) => {
  const text = mail(upstream.url);
  const gateway = await start({ policies: { "mail.yaml": text } });
  await open(gateway, "/policies?file=mail.yaml&view=text");
  const editor = page.getByRole("textbox", { name: "mail.yaml" });
  await rewrite(page, "mail.yaml", text.replace("class: batch", "class: bathc"));
  await expect(page.getByRole("heading", { name: "1 problem: it can't be saved like this" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Check and save …" })).toBeDisabled();
  const line = text.split("\n").findIndex((one) => one.includes("class: batch")) + 1;
  await page.keyboard.press("Control+Home");
  await page.getByRole("button", { name: new RegExp(`^mail\\.yaml:${line}:\\d+$`) }).click();
  await expect(editor).toBeFocused();
  await page.keyboard.press("Control+Shift+ArrowRight");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText("bulk");
  await expect(page.getByRole("heading", { name: "What would change" })).toBeVisible();
  await page.keyboard.press("Control+s");
  const dialog = page.getByRole("dialog", { name: "Save mail.yaml" });
  await dialog.getByLabel("Why").fill("last of all");
  await page.keyboard.press("Enter");
  await expect(saved(page, 2)).toBeVisible();
  expect(gateway.read("mail.yaml")).toBe(text.replace("class: batch", "class: bulk"));
});

test("a threshold is dragged on the live chart, and moved by keys; the draft follows", async ({ page, upstream, start, open }) => {
  const text = mail(upstream.url);
  const gateway = await start({ policies: { "mail.yaml": text } });
  await open(gateway, "/policies?file=mail.yaml&route=mail-receive");
  const enter = page.getByRole("slider", { name: "workers, shed over" });
  await expect(enter).toHaveAttribute("aria-valuenow", "85");
  await expect(enter).toHaveAttribute("aria-valuetext", "85%, now 10%"); // live: 2 of 20 threads

  const drag = async (by: number) => {
    const box = (await enter.boundingBox())!;
    const [x, y] = [box.x + box.width - 11, box.y + box.height / 2];
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x, y + by / 2);
    await page.mouse.move(x, y + by, { steps: 4 });
    await page.mouse.up();
  };
  await drag(400); // far under the line where shedding ends: there it stops
  await expect(field(page, "workers", "Shed over")).toHaveValue("75%");
  await drag(-12);
  await expect(enter).not.toHaveAttribute("aria-valuenow", "75");
  const dragged = Number(await enter.getAttribute("aria-valuenow"));
  expect(dragged).toBeGreaterThan(78);
  expect(dragged).toBeLessThan(92);
  await expect(field(page, "workers", "Shed over")).toHaveValue(`${dragged}%`);

  await enter.focus();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowDown");
  await expect(field(page, "workers", "Shed over")).toHaveValue(`${dragged + 1}%`);
  await expect(enter).toBeFocused();
  await page.keyboard.press("End");
  await expect(field(page, "workers", "Shed over")).toHaveValue("100%");
  await page.keyboard.press("PageDown");
  await expect(field(page, "workers", "Shed over")).toHaveValue("90%");
  await page.getByRole("button", { name: "Text" }).click();
  await expect(page.getByRole("textbox", { name: "mail.yaml" })).toContainText("workers: { enter: 90%, exit: 75% }   # of Tomcat's threads");
});

test("a draft is played over the last minutes before it runs", async ({ page, upstream, start, open }) => {
  const gateway = await start({ policies: { "mail.yaml": mail(upstream.url) } });
  expect(await gateway.calls(40, "/mail/receive/1", { method: "POST" })).toEqual({ 200: 40 });
  await open(gateway, "/policies?file=mail.yaml&route=mail-receive");
  const effect = page.getByRole("region", { name: "With this draft" });
  await expect(effect).toContainText("Of the last 1 min 0 of 40 calls would be refused (0%).");
  await put(page, "rate", "Burst", "4");
  await put(page, "rate", "Calls per second", "1");
  await expect(effect).toContainText(/Of the last 1 min 3\d of 40 calls would be refused \(\d\d%\)\.\s+0 were\./);
  await expect(effect.getByRole("row").filter({ hasText: "mail-receive" })).toContainText(/rate 3\d/);
  expect(await gateway.calls(5, "/mail/receive/1", { method: "POST" })).toEqual({ 200: 5 }); // nothing runs yet
});

test("a change is tried in shadow: it counts and refuses nothing", async ({ page, upstream, start, open }) => {
  const text = mail(upstream.url);
  const gateway = await start({ policies: { "mail.yaml": text } });
  await open(gateway, "/policies?file=mail.yaml&route=mail-receive");
  await put(page, "rate", "Calls per second", "1");
  await put(page, "rate", "Burst", "1");
  await page.getByRole("button", { name: "Check and save …" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(/in shadow/).check();
  await expect(dialog.getByRole("region", { name: "Changed lines" })).toContainText("mode: shadow");
  await dialog.getByLabel("Why").fill("try it first");
  await dialog.getByRole("button", { name: "Save as shadow" }).click();
  await expect(saved(page, 2)).toBeVisible();
  expect(await gateway.calls(6, "/mail/receive/1", { method: "POST" })).toEqual({ 200: 6 });
  await page.goto(`${gateway.admin}/now`);
  await expect(page.getByRole("row").filter({ hasText: "mail-receive" }).first()).toContainText(/[4-6] in shadow/);
});

test("a change for a time says when it ends, and can be kept", async ({ page, upstream, start, open }) => {
  const text = mail(upstream.url);
  const gateway = await start({ policies: { "mail.yaml": text } });
  await open(gateway, "/policies?file=mail.yaml&route=mail-receive");
  await put(page, "rate", "Calls per second", "50");
  await page.getByRole("button", { name: "Check and save …" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("only for").check();
  await dialog.getByLabel("For how long").selectOption("15 minutes");
  await dialog.getByRole("button", { name: "Save", exact: true }).click();
  await expect(saved(page, 2)).toBeVisible();
  const waiting = page.getByText(/^mail\.yaml becomes again what it was at /);
  await expect(waiting).toBeVisible();
  await page.getByRole("button", { name: "Keep the change" }).click();
  await expect(waiting).toHaveCount(0);
  expect(gateway.read("mail.yaml")).toContain("limit: 50");
});

test("a change that ends by itself is seen to end, in the form too", async ({ page, upstream, start, open }) => {
  const text = mail(upstream.url);
  const gateway = await start({ policies: { "mail.yaml": text } });
  await open(gateway, "/policies?file=mail.yaml&route=mail-receive");
  await expect(field(page, "rate", "Calls per second")).toHaveValue("200");
  await gateway.save("mail.yaml", text.replace("limit: 200", "limit: 10"), "for a moment", { "x-revert-after": "8s" });
  await expect(field(page, "rate", "Calls per second")).toHaveValue("10");
  await expect(field(page, "rate", "Calls per second")).toHaveValue("200");
  expect(gateway.read("mail.yaml")).toBe(text);
});

test("two tabs that change different lines lose neither", async ({ page, context, upstream, start, open }) => {
  const text = mail(upstream.url);
  const gateway = await start({ policies: { "mail.yaml": text } });
  await open(gateway, "/policies?file=mail.yaml&route=mail-receive");
  await put(page, "rate", "Calls per second", "150");
  await page.getByRole("button", { name: "Check and save …" }).click();
  const other = await context.newPage();
  await other.goto(`${gateway.admin}/policies?file=mail.yaml&route=mail-list`);
  await put(other, "Otherwise", "Cached for", "20m");
  await save(other, "lists change rarely");
  await expect(saved(other, 2)).toBeVisible();

  await page.getByRole("dialog").getByRole("button", { name: "Save", exact: true }).click();
  const conflict = page.getByRole("region", { name: "mail.yaml was changed meanwhile" });
  await expect(conflict).toContainText("Their change and yours don't touch");
  await expect(conflict.getByRole("region", { name: "What they changed" })).toContainText("+    cache: { fresh_for: 20m }");
  await expect(conflict.getByRole("region", { name: "What you changed" })).toContainText("+      rps: { limit: 150, burst: 40 }");
  await conflict.getByRole("button", { name: "Go on with the right text" }).click();
  await save(page, "fewer at once");
  await expect(saved(page, 3)).toBeVisible();
  expect(gateway.read("mail.yaml")).toBe(text.replace("limit: 200", "limit: 150").replace("10m", "20m"));
});

test("where two changed the same line, one chooses, and theirs can be taken", async ({ page, upstream, start, open }) => {
  const text = mail(upstream.url);
  const gateway = await start({ policies: { "mail.yaml": text } });
  await open(gateway, "/policies?file=mail.yaml&route=mail-receive");
  await put(page, "rate", "Calls per second", "150");
  const theirs = text.replace("limit: 200", "limit: 999");
  gateway.write("mail.yaml", theirs); // by hand
  await page.getByRole("button", { name: "mail.yaml was changed meanwhile …" }).click();
  const conflict = page.getByRole("region", { name: "mail.yaml was changed meanwhile" });
  await expect(conflict).toContainText("In 1 place both of you changed the same lines");
  const mine = conflict.getByRole("textbox", { name: "What you go on with" });
  await expect(mine).toContainText("limit: 150");
  // Folded lines open by keyboard, in both texts at once.
  const folded = conflict.getByRole("button", { name: /\d+ unchanged lines/ });
  await expect(mine).not.toContainText("# the whole gateway");
  const count = await folded.count();
  await mine.focus();
  await page.keyboard.press("Tab");
  await expect(mine.getByRole("button", { name: /\d+ unchanged lines/ }).first()).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(folded).toHaveCount(count - 2);
  await expect(mine).toContainText("# the whole gateway");
  await expect(mine).toBeFocused();
  await conflict.getByRole("button", { name: "Take theirs here" }).click();
  await expect(mine).toContainText("limit: 999");
  await conflict.getByRole("button", { name: "Go on with the right text" }).click();
  await expect(field(page, "rate", "Calls per second")).toHaveValue("999");
  await expect(page.getByText("Nothing is changed.")).toBeVisible();
  expect(gateway.read("mail.yaml")).toBe(theirs);
});

test("a draft survives a reload and a gateway that is away", async ({ page, upstream, start, open }) => {
  const gateway = await start({ policies: { "mail.yaml": mail(upstream.url) } });
  await open(gateway, "/policies?file=mail.yaml&route=mail-receive");
  await put(page, "rate", "Calls per second", "150");
  await page.reload();
  await expect(field(page, "rate", "Calls per second")).toHaveValue("150");
  await expect(page.getByRole("navigation", { name: "Policy files" })).toContainText("not saved");
  await page.getByRole("button", { name: "Discard changes" }).click();
  await expect(field(page, "rate", "Calls per second")).toHaveValue("200");
  await expect(page.getByText("Nothing is changed.")).toBeVisible();
});

test("a file is made, removed, and brought back", async ({ page, upstream, start, open }) => {
  const gateway = await start({ policies: { "mail.yaml": mail(upstream.url) } });
  await open(gateway, "/policies");
  await page.getByRole("button", { name: "New file" }).click();
  await expect(page.getByLabel("Name of the new file")).toBeFocused();
  await page.keyboard.type("Feed.yaml");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert").filter({ hasText: "Small letters" })).toBeVisible();
  await page.getByLabel("Name of the new file").fill("feed.yaml");
  await page.keyboard.press("Enter");
  await rewrite(page, "feed.yaml", tight(upstream.url));
  await save(page, "a feed");
  await expect(page.getByRole("status").filter({ hasText: "feed.yaml is saved and runs as revision 2." })).toBeVisible();
  expect(gateway.read("feed.yaml")).toBe(tight(upstream.url));
  expect((await gateway.call("/feed/1")).status).toBe(200);

  await page.getByRole("button", { name: "Remove file" }).click();
  const dialog = page.getByRole("dialog", { name: "Remove feed.yaml" });
  await dialog.getByRole("button", { name: "Remove" }).click();
  await expect(page.getByRole("status").filter({ hasText: "feed.yaml is removed." })).toBeVisible();
  expect((await gateway.call("/feed/1")).status).toBe(404);
  await page.goto(`${gateway.admin}/history/2`);
  await page.getByRole("button", { name: "Restore this" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Restore this" }).click();
  await expect(page).toHaveURL(`${gateway.admin}/history/4`);
  expect(gateway.read("feed.yaml")).toBe(tight(upstream.url));
});
