/** A part of a whole, 0 to 1; a whole of nothing is full as soon as anything is in it. */
export function share(part: number, whole: number): number {
  if (whole <= 0) return part > 0 ? 1 : 0;
  return Math.min(1, Math.max(0, part / whole));
}
