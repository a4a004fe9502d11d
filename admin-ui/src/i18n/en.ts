/** English texts. The type of this object is the contract for every other language. */

const en = {
  skip: "Skip to content",
  language: "한국어",
  languageLabel: "한국어로 보기",
  menu: "Screens",
  screens: {
    now: "Now",
    policies: "Policies",
    capacity: "Capacity",
    cache: "Cache",
    traces: "Traces",
    history: "History",
    system: "System",
  },
  screenFailed: "This screen could not be loaded. Reload the page: the gateway may have been updated.",
  theme: (theme: "light" | "dark" | "system") => ({ light: "Light", dark: "Dark", system: "Auto" })[theme],
  roles: { viewer: "viewer", editor: "editor", admin: "admin" },
  readOnly: "read-only",
  sessionOver: "The session is over. Log in again.",
  now: "Now",
  question: "Is anyone being refused, and why?",
  logout: "Log out",

  ready: "ready",
  notReady: "not ready",
  version: "version",
  revision: "revision",
  uptime: "up for",
  workers: "workers",
  connections: "connections",
  cacheStore: "cache",
  policyProblems: (count: number) =>
    count === 1
      ? "The policy files have 1 problem. The running policy stays; “sumun check” shows it with its line."
      : `The policy files have ${count} problems. The running policy stays; “sumun check” shows each with its line.`,

  loading: "Waiting for the first figures …",
  noDataFor: (seconds: number) => `No data for ${seconds} s. The figures below are old.`,
  unreachable: "The gateway does not answer. This page tries again each second.",

  routes: "Routes",
  routesCaption: "Routes with what was admitted and refused since the start; the most refused first",
  route: "Route",
  rate: "Calls/s",
  inFlight: "In flight / limit",
  admitted: "Admitted",
  refused: "Refused",
  cacheHits: "Cache hits",
  latency: "p50 / p99 ms",
  signals: "Signals",
  noLimit: "no limit",
  none: "none",
  notCached: "not cached",
  wouldRefuse: (count: string) => `${count} in shadow`,
  refusedNow: "refusing now",
  classes: { interactive: "interactive", default: "default", batch: "batch", bulk: "bulk" },
  modes: { enforce: "enforce", shadow: "shadow", off: "off" },
  reasons: {
    rps_over: "rate",
    cpu_over: "CPU",
    workers_over: "workers",
    quota_full: "quota",
  } as Record<string, string>,
  states: { fresh: "fresh", stale: "stale", expired: "expired", absent: "absent" },
  over: "over its threshold",

  capacity: "Function concurrency",
  poolSummary: (used: number, total: number) => `${used} of ${total} in use`,
  unreserved: "unreserved",
  reservedUse: (used: number, reserved: number) => `${used} of ${reserved} reserved in use`,
  sharedUse: (used: number) => `${used} in use, from the unreserved pool`,
  peak: "peak",
  throttled: "throttled",
  paused: "paused",

  emptyTitle: "No routes yet",
  emptyText:
    "The gateway forwards nothing until a policy names a route. Put this into a file of the policies folder; it is applied when you save it.",
  emptyThen: "Then call it through the gateway and watch it appear here:",
  emptyDemo: "Or see everything at work first:",

  loginTitle: "Log in to this gateway",
  user: "User",
  password: "Password",
  login: "Log in",
  loginWrong: "That does not fit: wrong user, password or token.",
  loginText: "Or with the gateway's own token: the first start printed a login link, and the token stands in the state folder.",
  loginFile: ".sumun/admin.token",
  token: "Token",
  loginWithToken: "Log in with the token",
  tokenMalformed: "That is not a token: it is one line of letters, digits and signs.",
};

export type Texts = typeof en;
export default en;
