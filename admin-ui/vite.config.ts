import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// `npm run dev` serves the page with the admin API of a gateway that runs beside it.
const gateway = "http://127.0.0.1:9900";

export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  build: {
    target: "es2022",
    // No inline scripts or data: the page is served under `default-src 'self'`.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { host: "127.0.0.1", proxy: { "/api": gateway } },
  // Components are tested as the browser runs them, not as a server would render them.
  ...(mode === "test" ? { resolve: { conditions: ["browser"] } } : {}),
  test: { environment: "happy-dom", include: ["src/**/*.test.ts"], testTimeout: 30_000 },
}));
