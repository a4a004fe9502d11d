/** Texts as an editor counts them: one sign a line break, whatever the file has. Pure. */

/** The file's line ending, where all lines have it; else `\n`, and every `\r` stays a sign of its line. */
export function newlineOf(text: string): "\r\n" | "\n" {
  const all = text.match(/\n/g)?.length ?? 0;
  const long = text.match(/\r\n/g)?.length ?? 0;
  return all > 0 && all === long ? "\r\n" : "\n";
}

/** What makes `before` say `after`: their common beginning and end stay. Offsets in the editor's counting. */
export function change(before: string, after: string, newline: string): { from: number; to: number; insert: string } | null {
  if (before === after) return null;
  const [a, b] = newline === "\n" ? [before, after] : [before.replaceAll(newline, "\n"), after.replaceAll(newline, "\n")];
  let from = 0;
  while (from < a.length && from < b.length && a[from] === b[from]) from += 1;
  let end = 0;
  while (end < a.length - from && end < b.length - from && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const insert = b.slice(from, b.length - end);
  return { from, to: a.length - end, insert: newline === "\n" ? insert : insert.replaceAll("\n", newline) };
}

/** The word at a column (in characters, from 1) of a line, by offsets in the line; at least one sign where there is one. */
export function position(line: string, column: number): { from: number; to: number } {
  const signs = [...line];
  const before = signs.slice(0, Math.max(0, column - 1)).join("").length;
  const word = /^[\p{L}\p{N}_.%/*-]+/u.exec(line.slice(before))?.[0].length ?? 1;
  return { from: before, to: Math.min(line.length, before + word) };
}
