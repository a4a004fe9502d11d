/** What holds on every screen: language, theme, addresses, the keyboard, narrow and magnified windows, stale figures. */

import type { Page } from "@playwright/test";
import { sideways } from "./stage/guard";
import { long, mail } from "./stage/policies";
import { SCREENS } from "./stage/screens";
import { expect, test } from "./stage/test";

test("the language is chosen once for all screens and visits", async ({ page, start, open }) => {
  const gateway = await start();
  await open(gateway, "/capacity");
  await expect(page.locator("html")).toHaveAttribute("lang", "en");
  await page.getByRole("button", { name: "한국어로 보기" }).click();
  await expect(page.locator("html")).toHaveAttribute("lang", "ko");
  await expect(page.getByRole("button", { name: "로그아웃" })).toBeVisible();
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("lang", "ko");
  for (const { path } of SCREENS) {
    await page.goto(`${gateway.admin}/${path}`);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(/\p{Script=Hangul}/u);
    await expect(page).toHaveTitle(/\p{Script=Hangul}.* · Sumun/u);
  }
});

test.describe("a browser that asks for Korean", () => {
  test.use({ locale: "ko-KR" });

  test("is answered in Korean before anybody chose", async ({ page, start }) => {
    const gateway = await start();
    await page.goto(gateway.admin);
    await expect(page.locator("html")).toHaveAttribute("lang", "ko");
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(/\p{Script=Hangul}/u);
  });
});

const ground = (page: Page): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

test("the theme follows the system until it is chosen, then stays", async ({ page, start, open }) => {
  const gateway = await start();
  await open(gateway, "/now");
  const light = await ground(page);
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await ground(page);
  expect(dark).not.toBe(light);
  await page.getByRole("button", { name: "Theme: Auto" }).click();
  await expect(page.getByRole("button", { name: "Theme: Light" })).toBeVisible();
  expect(await ground(page)).toBe(light);
  await page.reload();
  await expect(page.getByRole("button", { name: "Theme: Light" })).toBeVisible();
  expect(await ground(page)).toBe(light);
  await page.emulateMedia({ colorScheme: "light" });
  await page.getByRole("button", { name: "Theme: Light" }).click();
  expect(await ground(page)).toBe(dark);
});

test("an address leads where it says, and back", async ({ page, upstream, start, open }) => {
  const gateway = await start({ policies: { "long.yaml": long(upstream.url), "mail.yaml": mail(upstream.url) } });
  await open(gateway, "/policies?file=mail.yaml&route=mail-list&view=form");
  await expect(page.getByLabel("Cached for")).toHaveValue("10m");
  await expect(page.getByLabel("Route")).toHaveValue("mail-list");

  await page.getByRole("navigation", { name: "Screens" }).getByRole("link", { name: "History" }).click();
  await page.getByRole("navigation", { name: "Revisions" }).getByRole("link").first().click();
  await expect(page).toHaveURL(`${gateway.admin}/history/1`);
  await expect(page.getByRole("heading", { level: 2 })).toHaveText(/^revision 1:/);
  await page.goBack();
  await page.goBack();
  await expect(page.getByLabel("Route")).toHaveValue("mail-list");
  await page.goForward();
  await page.goForward();
  await expect(page.getByRole("heading", { level: 2 })).toHaveText(/^revision 1:/);

  await page.goto(`${gateway.admin}/no-such-screen`);
  await expect(page.getByRole("heading", { name: "Now" })).toBeVisible();
});

test("a frozen gateway is told from a quiet one", async ({ page, upstream, start, open }) => {
  const gateway = await start({ policies: { "mail.yaml": mail(upstream.url) } });
  await open(gateway, "/now");
  const row = page.getByRole("rowheader", { name: /mail-list/ });
  await expect(row).toBeVisible();
  const note = page.getByText(/^No data for \d+ s\. The figures below are old\./);
  await expect(note).toHaveCount(0);
  gateway.freeze();
  await expect(note).toBeVisible();
  await expect(row).toBeVisible(); // old figures are better than none
  gateway.thaw();
  await expect(note).toHaveCount(0);
});

/** What the keyboard can reach, by the order in which it does: a word for each place. */
async function walk(page: Page, most: number): Promise<{ missed: string[]; unseen: string[] }> {
  await page.evaluate(() => {
    const window = globalThis as unknown as { places: Element[]; reached: Set<Element> };
    const within = (root: Document | ShadowRoot): Element[] =>
      [...root.querySelectorAll("*")].flatMap((element) => [element, ...(element.shadowRoot ? within(element.shadowRoot) : [])]);
    const open = (element: Element): boolean => element.checkVisibility({ visibilityProperty: true }) && !(element as HTMLButtonElement).disabled;
    window.places = within(document).filter((element) => element instanceof HTMLElement && element.tabIndex >= 0 && open(element) && element.matches("a[href], button, input, select, textarea, summary, [tabindex], [contenteditable=true]"));
    window.reached = new Set();
    (document.activeElement as HTMLElement | null)?.blur();
  });
  const unseen: string[] = [];
  for (let step = 0; step < most; step += 1) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(async () => {
      let active: Element | null = document.activeElement;
      while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
      const { reached } = globalThis as unknown as { reached: Set<Element> };
      if (active === null || active === document.body || reached.has(active)) return null;
      reached.add(active);
      // A text area of an editor is marked by its frame, a moment after it has the focus.
      const marked = [active, active.closest(".cm-editor")].filter((element) => element !== null);
      const isShown = (): boolean => marked.map((element) => getComputedStyle(element)).some((style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1);
      for (let frames = 60; frames > 0 && !isShown(); frames -= 1) await new Promise((done) => requestAnimationFrame(done));
      return isShown() ? "" : `${active.tagName} ${active.textContent.trim().slice(0, 40)}`;
    });
    if (found === null) break; // out of the page, or around
    if (found !== "") unseen.push(found);
  }
  const missed = await page.evaluate(() => {
    const { places, reached } = globalThis as unknown as { places: Element[]; reached: Set<Element> };
    // Of radio buttons the chosen one stands for all.
    return places.filter((place) => place.isConnected && !reached.has(place) && !place.matches("input[type=radio]:not(:checked)")).map((place) => `${place.tagName} ${place.getAttribute("aria-label") ?? place.textContent.trim().slice(0, 40)}`);
  });
  return { missed, unseen };
}

for (const { path, ready } of SCREENS) {
  test(`the keyboard reaches everything on /${path}, and one sees where it is`, async ({ page, upstream, start, open }) => {
    const gateway = await start({ policies: { "mail.yaml": mail(upstream.url) } });
    await gateway.call("/mail/list/1");
    await open(gateway, `/${path}`);
    await ready(page);
    const { missed, unseen } = await walk(page, 250);
    expect(missed).toEqual([]);
    expect(unseen).toEqual([]);
  });

  // 1280 px at 200 % and at 400 % (WCAG 1.4.10), and a telephone.
  for (const [width, why] of [[640, "at 200 %"], [375, "on a telephone"], [320, "at 400 %"]] as const) {
    test(`/${path} ${why} is read without scrolling the page sideways`, async ({ page, upstream, start, open }) => {
      await page.setViewportSize({ width, height: 800 });
      const gateway = await start({ policies: { "long.yaml": long(upstream.url), "mail.yaml": mail(upstream.url) } });
      await open(gateway, `/${path}`);
      await ready(page);
      expect(await sideways(page)).toEqual([]);
    });
  }
}

test("the text editor lets the keyboard out again", async ({ page, upstream, start, open }) => {
  const gateway = await start({ policies: { "mail.yaml": mail(upstream.url) } });
  await open(gateway, "/policies?view=text");
  await expect(page.getByRole("textbox", { name: "mail.yaml" })).toBeVisible();
  const { missed, unseen } = await walk(page, 250);
  expect(missed).toEqual([]);
  expect(unseen).toEqual([]);
});

test("the first key skips the menu", async ({ page, start, open }) => {
  const gateway = await start();
  await open(gateway, "/now");
  await expect(page.getByRole("heading", { name: "Now" })).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to content" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("main")).toBeFocused();
  expect(new URL(page.url()).pathname).toBe("/now");
});
