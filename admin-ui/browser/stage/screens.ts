/** Every screen, and how one knows that it shows its figures. */

import { expect, type Page } from "@playwright/test";

export interface Place {
  path: string;
  /** Waits until the screen shows what there is. */
  ready: (page: Page) => Promise<void>;
}

const row = (name: string) => async (page: Page) => expect(page.getByRole("rowheader", { name }).first()).toBeVisible();

export const SCREENS: Place[] = [
  { path: "now", ready: row("mail-receive") },
  {
    path: "policies?file=mail.yaml",
    ready: async (page) => {
      await expect(page.getByLabel("Calls per second")).toBeVisible();
      await expect(page.getByRole("slider").first()).toBeVisible();
    },
  },
  { path: "capacity", ready: row("mail-receive") },
  { path: "cache", ready: row("mail-list") },
  {
    path: "traces",
    // By no word of it: it is read in two languages.
    ready: async (page) => expect(page.locator("main form select").first()).toBeVisible(),
  },
  { path: "history/1", ready: async (page) => expect(page.getByRole("heading", { level: 2 })).toHaveText(/[12]/) },
  { path: "system", ready: row("mailbox") },
];
