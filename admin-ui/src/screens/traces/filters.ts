/** Which traces are shown: everything stands in the address, and reaches the gateway as it stands there. */

export const KINDS = ["refused", "slow", "error", "sampled"] as const;
export const CACHES = ["hit", "revalidated", "miss", "stale", "collapsed", "bypass"] as const;

/** What the address may say; all else in it is nobody's. */
export const FILTERS = ["kind", "route", "status", "caller", "cache", "min_ms"] as const;
export type Filter = (typeof FILTERS)[number];

/** What is asked of the gateway: the filters that say something. */
export function query(address: URLSearchParams, more: Record<string, string> = {}): string {
  const asked = new URLSearchParams();
  for (const name of FILTERS) {
    const value = address.get(name)?.trim() ?? "";
    if (value !== "") asked.set(name, value);
  }
  for (const [name, value] of Object.entries(more)) asked.set(name, value);
  return asked.toString();
}

/** Whether anything is asked for in particular. */
export const isFiltered = (address: URLSearchParams): boolean => query(address) !== "";

/** The page of one trace, with the filters as they are; null: of none. */
export function address(id: string | null, filters: URLSearchParams): string {
  const asked = query(filters);
  return `/traces${id === null ? "" : `/${id}`}${asked === "" ? "" : `?${asked}`}`;
}
