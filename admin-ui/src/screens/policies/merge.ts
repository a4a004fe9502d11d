/** Two texts that come from one, made one again where their changes do not touch. Pure. */

import { compared } from "../../lib/lines";

export interface Merged {
  text: string;
  /** Places where both changed the same or neighbouring lines; there `text` says what `mine` says. */
  conflicts: number;
}

interface Hunk {
  /** Lines of the base, from and behind the last. */
  from: number;
  to: number;
  lines: string[];
}

export function merged(base: string, theirs: string, mine: string): Merged {
  if (theirs === mine || theirs === base) return { text: mine, conflicts: 0 };
  if (mine === base) return { text: theirs, conflicts: 0 };
  const their = hunks(base, theirs);
  const own = hunks(base, mine);
  const free = their.filter((hunk) => !own.some((other) => touches(hunk, other)));
  const conflicts = their.filter((hunk) => own.some((other) => touches(hunk, other) && !same(hunk, other))).length;
  const lines = split(base);
  for (const { from, to, lines: written } of [...free, ...own].sort((a, b) => b.from - a.from || b.to - a.to)) lines.splice(from, to - from, ...written);
  const end = mine.endsWith("\n") === base.endsWith("\n") ? theirs.endsWith("\n") : mine.endsWith("\n");
  return { text: lines.join("\n") + (end && lines.length > 0 ? "\n" : ""), conflicts };
}

/** What `text` changes of `base`. */
function hunks(base: string, text: string): Hunk[] {
  const found: Hunk[] = [];
  let at = 0;
  let open: Hunk | null = null;
  for (const { kind, text: line } of compared(base, text)) {
    if (kind === "same") {
      open = null;
      at += 1;
      continue;
    }
    if (open === null) found.push((open = { from: at, to: at, lines: [] }));
    if (kind === "removed") open.to = at += 1;
    else open.lines.push(line);
  }
  return found;
}

/** Neighbours touch, too: two lines that were put at one place have no order. */
const touches = (a: Hunk, b: Hunk): boolean => a.from <= b.to && b.from <= a.to;

const same = (a: Hunk, b: Hunk): boolean => a.from === b.from && a.to === b.to && a.lines.join("\n") === b.lines.join("\n");

function split(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}
