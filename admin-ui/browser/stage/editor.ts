/** Writing in the text editor. */

import type { Page } from "@playwright/test";

/**
 * Replaces the whole text. What is selected is deleted first: where one writes over it, Chromium itself tries to
 * carry its colours over as a style attribute, which the page's policy forbids and reports.
 */
export async function rewrite(page: Page, file: string, text: string): Promise<void> {
  await page.getByRole("textbox", { name: file }).click();
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText(text);
}
