/** The bar of the concurrency pool: one segment per reservation, one for what is unreserved. Pure. */

import type { Functions } from "../../api/types";
import { share } from "../../lib/share";

export interface Segment {
  /** null: the unreserved pool. */
  name: string | null;
  slots: number;
  in_use: number;
  /** Width as a share of the bar, 0 to 1. */
  width: number;
  /** How much of the segment is in use, 0 to 1. */
  filled: number;
}

/** Segments in the order of the functions, the unreserved pool last. Reservations of 0 have no width and no segment. */
export function segments({ pool, functions }: Functions): Segment[] {
  const segment = (name: string | null, slots: number, in_use: number): Segment => ({
    name,
    slots,
    in_use,
    width: share(slots, pool.total),
    filled: share(in_use, slots),
  });
  return [
    ...functions
      .filter((quota) => (quota.reserved ?? 0) > 0)
      .map((quota) => segment(quota.name, quota.reserved ?? 0, quota.in_use)),
    segment(null, pool.unreserved, pool.unreserved_in_use),
  ];
}
