/**
 * The token of this tab. It comes with the login link (`/login#token=…`, a fragment: it is never sent to a
 * server or written to its log) and lives in the tab's session storage until the tab closes.
 */

const KEY = "sumun.token";

/** The token in a login link's fragment, if there is one. Tokens are URL-safe text. */
export function tokenIn(fragment: string): string | null {
  const token = new URLSearchParams(fragment.replace(/^#/, "")).get("token");
  return token !== null && /^[A-Za-z0-9._~-]{16,512}$/.test(token) ? token : null;
}

export interface Session {
  /** The token of this tab, if somebody has logged in. */
  token(): string | null;
  keep(token: string): void;
  forget(): void;
}

export function session(storage: Pick<Storage, "getItem" | "setItem" | "removeItem">): Session {
  return {
    token: () => storage.getItem(KEY),
    keep: (token) => storage.setItem(KEY, token),
    forget: () => storage.removeItem(KEY),
  };
}

/** Takes the token out of a login link, so that it does not stay in the address bar or the history. */
export function takeLogin(session: Session, location: Location, history: History): void {
  const token = tokenIn(location.hash);
  if (token === null) return;
  session.keep(token);
  history.replaceState(null, "", "/");
}
