/** What must never happen on any page: a call elsewhere, a breach of the content security policy, an uncaught error. */

import type { BrowserContext, Page } from "@playwright/test";

export class Guard {
  /** What happened, in words. */
  readonly seen: string[] = [];
  #own: string | null = null;

  /** From now on everything that this context's pages do is looked at. */
  async watch(context: BrowserContext): Promise<void> {
    await context.exposeBinding("toldBreach", (_, what: string) => void this.seen.push(`content security policy: ${what}`));
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI, sourceFile, lineNumber }) =>
        (globalThis as unknown as { toldBreach: (what: string) => void }).toldBreach(`${effectiveDirective} of ${blockedURI} at ${sourceFile}:${lineNumber}`),
      );
    });
    context.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      // What a page makes itself goes nowhere.
      if (["data:", "blob:", "about:"].includes(protocol) || origin === this.#own) return;
      this.seen.push(`a call elsewhere: ${request.url()}`);
    });
    context.on("weberror", (error) => this.seen.push(`uncaught: ${error.error().stack ?? error.error().message}`));
    context.on("console", (message) => {
      // Refusals of the API are said on the page; the browser's own word of them is no error of the page.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) this.seen.push(`console: ${message.text()}`);
    });
  }

  /** The one origin that may be called. */
  allow(origin: string): void {
    this.#own = origin;
  }
}

/** Whether the page or its dialog can be scrolled sideways, and by what it is widened. */
export async function sideways(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const dialog = document.querySelector("dialog[open]");
    if (dialog !== null && dialog.scrollWidth > dialog.clientWidth) return [`the dialog is ${dialog.scrollWidth} wide of ${dialog.clientWidth}`];
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    // What stands in a box that scrolls or clips by itself does not widen the page.
    const clipped = (element: Element): boolean => element.parentElement !== null && (getComputedStyle(element.parentElement).overflowX !== "visible" || clipped(element.parentElement));
    const wide = [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > clientWidth + 0.5 && !clipped(element));
    return wide.slice(0, 5).map((element) => `${element.tagName.toLowerCase()}.${element.className} ends at ${element.getBoundingClientRect().right} of ${clientWidth}`);
  });
}
