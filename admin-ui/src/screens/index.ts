/** Every screen: its place in the address, its name, and how it is loaded. The order is that of the menu. */

import type { Component } from "svelte";
import type { Api } from "../api/client";
import type { Session } from "../api/types";
import type { Texts } from "../i18n/en";

/** What every screen is given. */
export interface ScreenProps {
  api: Api;
  session: Session;
  /** To be called where the gateway does not know the session any more. */
  onUnauthorized: () => void;
}

export interface Screen {
  /** First segment of the address. */
  path: string;
  name: keyof Texts["screens"];
  /** Loaded when it is first opened, so that the first screen comes soon. */
  load: () => Promise<{ default: Component<ScreenProps> }>;
}

export const screens: Screen[] = [
  { path: "now", name: "now", load: () => import("./now/Now.svelte") },
  { path: "policies", name: "policies", load: () => import("./policies/Policies.svelte") },
  { path: "capacity", name: "capacity", load: () => import("./capacity/Capacity.svelte") },
  { path: "cache", name: "cache", load: () => import("./cache/Cache.svelte") },
  { path: "traces", name: "traces", load: () => import("./traces/Traces.svelte") },
  { path: "history", name: "history", load: () => import("./history/History.svelte") },
  { path: "system", name: "system", load: () => import("./system/System.svelte") },
];

/** The screen of an address; the first one for the bare address and for unknown ones. */
export function screenOf(path: string): Screen {
  return screens.find((screen) => screen.path === path) ?? screens[0]!;
}
