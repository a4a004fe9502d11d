/** The difference of two texts, line by line: the longest common subsequence, shown with some lines around. Pure. */

export interface Line {
  kind: "same" | "added" | "removed" | "gap";
  text: string;
}

/** Lines kept around a change. */
const AROUND = 3;

/** Texts of more lines than this are compared only after their common beginning and end: the table is quadratic. */
const LINES_MAX = 2_000;

export function difference(before: string, after: string): Line[] {
  return folded(compared(before, after));
}

/** The same with every line that did not change. */
export function compared(before: string, after: string): Line[] {
  const [a, b] = [split(before), split(after)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const middle = compare(a.slice(start, a.length - end), b.slice(start, b.length - end));
  const same = (text: string): Line => ({ kind: "same", text });
  return [...a.slice(0, start).map(same), ...middle, ...a.slice(a.length - end).map(same)];
}

function split(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function compare(a: string[], b: string[]): Line[] {
  const gone = (text: string): Line => ({ kind: "removed", text });
  const come = (text: string): Line => ({ kind: "added", text });
  if (a.length > LINES_MAX || b.length > LINES_MAX) return [...a.map(gone), ...b.map(come)];
  // longest[i][j]: the longest common subsequence of a from i on and b from j on.
  const width = b.length + 1;
  const longest = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const [down, right] = [longest[(i + 1) * width + j]!, longest[i * width + j + 1]!];
      longest[i * width + j] = a[i] === b[j] ? longest[(i + 1) * width + j + 1]! + 1 : Math.max(down, right);
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      lines.push({ kind: "same", text: a[i]! });
      i += 1;
      j += 1;
    } else if (longest[(i + 1) * width + j]! >= longest[i * width + j + 1]!) {
      lines.push(gone(a[i]!));
      i += 1;
    } else {
      lines.push(come(b[j]!));
      j += 1;
    }
  }
  return [...lines, ...a.slice(i).map(gone), ...b.slice(j).map(come)];
}

/** Leaves out what is far from any change. */
function folded(lines: Line[]): Line[] {
  const near = new Array<boolean>(lines.length).fill(false);
  lines.forEach((line, at) => {
    if (line.kind !== "same") near.fill(true, Math.max(0, at - AROUND), at + AROUND + 1);
  });
  const shown: Line[] = [];
  lines.forEach((line, at) => {
    if (near[at]) shown.push(line);
    else if (shown.at(-1)?.kind !== "gap") shown.push({ kind: "gap", text: "" });
  });
  return shown;
}
