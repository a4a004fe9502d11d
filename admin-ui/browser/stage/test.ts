/** A test with a gateway, an upstream and a page of its own. */

import { expect, test as base, type BrowserContext, type Page } from "@playwright/test";
import { Gateway, type Start } from "./gateway";
import { Guard } from "./guard";
import { plain } from "./policies";
import { PASSWORD, users, type Name } from "./users";
import { Upstream } from "./upstream";

interface Stage {
  upstream: Upstream;
  /** Starts the test's gateway, with the least of policies where none are given; the last one that was started is whom pages may call. */
  start: (start?: Partial<Start>) => Promise<Gateway>;
  /** Logs the context in: with the token, or as one of the users. */
  enter: (gateway: Gateway, user?: Name, context?: BrowserContext) => Promise<void>;
  /** Opens a screen of a gateway, logged in with the token. */
  open: (gateway: Gateway, path: string) => Promise<Page>;
  guard: Guard;
}

interface Shared {
  /** Settings with users; hashing a password takes its time. */
  withUsers: string;
}

export const test = base.extend<Stage, Shared>({
  // Playwright reads from the shape of the parameter what a fixture needs: here nothing.
  withUsers: [async ({}, use) => use(users()), { scope: "worker" }],

  upstream: async ({}, use) => {
    const upstream = await Upstream.start();
    await use(upstream);
    await upstream.stop();
  },

  guard: [
    async ({ context }, use) => {
      const guard = new Guard();
      await guard.watch(context);
      await use(guard);
      expect(guard.seen, "calls elsewhere, breaches of the content security policy, uncaught errors").toEqual([]);
    },
    { auto: true },
  ],

  start: async ({ guard, upstream }, use, info) => {
    const started: Gateway[] = [];
    await use(async ({ policies = { "first.yaml": plain(upstream.url) }, settings = "" } = {}) => {
      const gateway = await Gateway.start({ policies, settings });
      started.push(gateway);
      guard.allow(gateway.admin);
      return gateway;
    });
    for (const gateway of started) {
      if (info.status !== info.expectedStatus) await info.attach("gateway", { body: gateway.printed, contentType: "text/plain" });
      await gateway.stop();
    }
  },

  enter: async ({ context: own }, use) => {
    await use(async (gateway, user, context = own) => {
      const credentials = user === undefined ? { token: gateway.token } : { user, password: PASSWORD };
      const response = await context.request.post(`${gateway.admin}/api/v1/session`, { data: credentials });
      expect(response.status(), await response.text()).toBe(200);
    });
  },

  open: async ({ page, enter }, use) => {
    await use(async (gateway, path) => {
      await enter(gateway);
      await page.goto(`${gateway.admin}${path}`);
      return page;
    });
  },
});

export { expect };
