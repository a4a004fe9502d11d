/** Figures for people. Pure: the language is a parameter. */

/** A count: 999, 1,204, 88.3K. */
export function count(value: number, language: string): string {
  const compact = Math.abs(value) >= 100_000;
  return new Intl.NumberFormat(language, compact ? { notation: "compact", maximumFractionDigits: 1 } : {}).format(value);
}

/** Calls per second: one decimal under ten, so that slow routes are seen to move. */
export function rate(value: number, language: string): string {
  const digits = value > 0 && value < 10 ? 1 : 0;
  return new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

/** A share 0 to 1 as a percentage; "–" where there is nothing to divide. */
export function percent(share: number | null, language: string): string {
  if (share === null || !Number.isFinite(share)) return "–";
  return new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 }).format(share);
}

/** Milliseconds: 0.4, 12, 1,250. */
export function milliseconds(value: number | null, language: string): string {
  if (value === null || !Number.isFinite(value)) return "–";
  return new Intl.NumberFormat(language, { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
}

/** A time since some start, in its two largest units: 42s, 3m 5s, 2h 10m, 4d 3h; in Korean 3분 5초. */
export function elapsed(seconds: number, language: string): string {
  const units = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]] as const;
  const told = (amount: number, unit: string) => new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "narrow" }).format(amount);
  const whole = Math.max(0, Math.floor(seconds));
  const first = units.findIndex(([, size]) => whole >= size);
  if (first < 0) return told(0, "second");
  const parts: string[] = [];
  let rest = whole;
  for (const [name, size] of units.slice(first, first + 2)) {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    if (amount > 0) parts.push(told(amount, name));
  }
  return parts.join(" ");
}

/** A moment: date and time to the minute, in the reader's time zone. */
export function moment(at: Date, language: string): string {
  return Number.isNaN(at.getTime()) ? "–" : new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(at);
}

/** A size: 512 B, 1.5 MiB. */
export function bytes(value: number, language: string): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const step = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  const digits = step > 0 && value / 1024 ** step < 10 ? 1 : 0;
  return `${new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value / 1024 ** step)} ${units[step]}`;
}
