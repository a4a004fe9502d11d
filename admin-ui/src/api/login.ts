/** The login link: `/#token=…`. A fragment is never sent to a server nor written to its log. */

/** The token in a login link's fragment, if there is one. Tokens are visible ASCII on one line. */
export function tokenIn(fragment: string): string | null {
  const token = new URLSearchParams(fragment.replace(/^#/, "")).get("token");
  return token !== null && /^[!-~]{16,512}$/.test(token) ? token : null;
}

/** Takes the token out of a login link, so that it does not stay in the address bar or the history. */
export function takeToken(location: Location, history: History): string | null {
  const token = tokenIn(location.hash);
  if (token !== null) history.replaceState(null, "", `${location.pathname}${location.search}`);
  return token;
}
