import { defineConfig } from "@playwright/test";
import { CHROMIUM, OUT } from "./stage/places";

// Debian's Chromium is driven, never one that is downloaded; nothing of it calls home.
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

export default defineConfig({
  testDir: ".",
  testMatch: "*.spec.ts",
  outputDir: `${OUT}/failures`,
  fullyParallel: true,
  // Each has a gateway, an upstream and a browser of its own: two fill the two cores of a small machine.
  workers: 2,
  retries: 0,
  // Nobody waits for these: they are bounds for a busy machine.
  timeout: 240_000,
  expect: { timeout: 30_000 },
  forbidOnly: true,
  reporter: [["list"], ["json", { outputFile: `${OUT}/report.json` }]],
  use: {
    browserName: "chromium",
    launchOptions: { executablePath: CHROMIUM, args: FLAGS },
    viewport: { width: 1280, height: 900 },
    locale: "en-US",
    timezoneId: "UTC",
    colorScheme: "light",
    screenshot: "only-on-failure",
    trace: "off",
  },
});
