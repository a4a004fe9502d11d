/** Coming in and going out, and what each role is shown. */

import { mail } from "./stage/policies";
import { expect, test } from "./stage/test";
import { PASSWORD } from "./stage/users";

test("a login link opens a session and leaves no token behind", async ({ page, context, start }) => {
  const gateway = await start();
  await page.goto(gateway.link);
  await expect(page.getByRole("heading", { name: "Now" })).toBeVisible();
  expect(page.url()).toBe(`${gateway.admin}/`);
  await expect(page.getByText("token · admin")).toBeVisible();

  const [cookie, ...others] = await context.cookies();
  expect(others).toEqual([]);
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict" });
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state, document.cookie]));
  expect(kept).not.toContain(gateway.token);

  await page.reload();
  await expect(page.getByRole("heading", { name: "Now" })).toBeVisible();
  // The fragment is not in the history either: before this page there is only the empty one.
  await page.goBack().catch(() => undefined);
  expect(page.url()).not.toContain("token");
});

test("a link of another gateway is refused and says so", async ({ page, start }) => {
  const gateway = await start();
  await page.goto(`${gateway.admin}/history#token=${"0".repeat(43)}`);
  await expect(page.getByRole("alert")).toHaveText(/\S/);
  await expect(page.getByRole("heading", { name: "Log in to this gateway" })).toBeVisible();
  expect(page.url()).toBe(`${gateway.admin}/history`);
});

test("a password opens, a wrong one does not", async ({ page, start, withUsers }) => {
  const gateway = await start({ settings: withUsers });
  await page.goto(gateway.admin);
  await page.getByLabel("User").fill("ada");
  await page.getByLabel("Password").fill("correct horse battery stable");
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await expect(page.getByRole("alert")).toHaveText("That does not fit: wrong user, password or token.");
  await expect(page.getByLabel("User")).toHaveValue("ada");

  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Log in", exact: true }).press("Enter");
  await expect(page.getByText("ada · admin")).toBeVisible();
});

test("the token of the state folder opens, what is no token is not sent", async ({ page, start }) => {
  const gateway = await start();
  await page.goto(gateway.admin);
  await page.getByLabel("Token").fill("short");
  await page.getByRole("button", { name: "Log in with the token" }).click();
  await expect(page.getByRole("alert")).toHaveText(/That is not a token/);
  await page.getByLabel("Token").fill(` ${gateway.token} `);
  await page.getByRole("button", { name: "Log in with the token" }).click();
  await expect(page.getByText("token · admin")).toBeVisible();
});

test("logging out ends the session, not only the page", async ({ page, context, start, open }) => {
  const gateway = await start();
  await open(gateway, "/system");
  const cookies = await context.cookies();
  await page.getByRole("button", { name: "Log out" }).click();
  await expect(page.getByRole("heading", { name: "Log in to this gateway" })).toBeVisible();
  expect(await context.cookies()).toEqual([]);
  await context.addCookies(cookies);
  expect((await context.request.get(`${gateway.admin}/api/v1/status`)).status()).toBe(401);
});

test("a session that ends under the page says so and lets in again where one was", async ({ page, context, start, open }) => {
  const gateway = await start();
  await open(gateway, "/capacity");
  await expect(page.getByRole("heading", { name: "Capacity" })).toBeVisible();
  await context.request.delete(`${gateway.admin}/api/v1/session`);
  await expect(page.getByRole("alert")).toHaveText("The session is over. Log in again.");
  await page.getByLabel("Token").fill(gateway.token);
  await page.getByRole("button", { name: "Log in with the token" }).click();
  await expect(page.getByRole("heading", { name: "Capacity", exact: true })).toBeVisible();
});

/** What a role may press, screen by screen. */
const CHANGES: [path: string, there: string, button: RegExp][] = [
  ["/capacity", "mail-receive", /^(Set|Pause|Release)$/],
  ["/cache", "mail-list", /^(Purge|Everything)/],
  ["/policies", "Importance", /^(Check and save|Remove file|New file)/],
  ["/history/1", "Revision 1", /^Restore/],
];

for (const [user, may, oversees] of [["vera", false, false], ["ed", true, false], ["ada", true, true]] as const) {
  test(`${user} is offered what ${user} may do, and no more`, async ({ page, upstream, start, enter, withUsers }) => {
    const text = mail(upstream.url);
    const gateway = await start({ policies: { "mail.yaml": text }, settings: withUsers });
    await gateway.save("mail.yaml", `${text}# a second revision\n`, "to have something to restore");
    await gateway.call("/mail/list/1");
    await enter(gateway, user);
    for (const [path, there, button] of CHANGES) {
      await page.goto(`${gateway.admin}${path}`);
      await expect(page.getByText(there).first()).toBeVisible();
      const buttons = page.getByRole("main").getByRole("button", { name: button });
      if (may) await expect(buttons.first()).toBeVisible();
      else await expect(buttons).toHaveCount(0);
    }
    await page.goto(`${gateway.admin}/system`);
    await expect(page.getByRole("rowheader", { name: "mailbox" })).toBeVisible();
    await expect(page.getByRole("heading", { name: "Who did what" })).toHaveCount(oversees ? 1 : 0);
    // What is not offered is not taken either.
    const pausing = await page.request.put(`${gateway.admin}/api/v1/functions/mail-receive/concurrency`, { data: { reserved: 0 } });
    expect(pausing.status()).toBe(may ? 200 : 403);
  });
}

test("a gateway whose policies come from elsewhere offers the text to copy", async ({ page, context, upstream, start, open }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const text = mail(upstream.url);
  const gateway = await start({ policies: { "mail.yaml": text }, settings: "admin: { read_only: true }\n" });
  await open(gateway, "/policies");
  await expect(page.getByText("Policies of this gateway come from elsewhere.")).toBeVisible();
  await page.getByLabel("Calls per second").fill("150");
  await page.getByLabel("Calls per second").press("Tab");
  await page.getByRole("button", { name: "Copy the YAML" }).click();
  await expect(page.getByRole("status").filter({ hasText: "Copied." })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(text.replace("limit: 200", "limit: 150"));
  await expect(page.getByRole("button", { name: /Check and save/ })).toHaveCount(0);
});
