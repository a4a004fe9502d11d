/** Policy files as people write them, from a seed: for tests. */

/** Numbers 0 to 1 from a seed (mulberry32). */
export function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Value = string | { [key: string]: Value };

/** A file with random layout: block and flow, indents, comments, quotes, line endings, unknown keys, order. */
export function file(seed: number): string {
  const random = numbers(seed);
  const odds = (share: number) => random() < share;
  const one = <T>(...all: T[]): T => all[Math.floor(random() * all.length)]!;
  const step = one(1, 2, 2, 3, 4);
  const comments = one(0, 0.2, 0.5);

  const shuffled = <T>(list: T[]): T[] => {
    const copy = [...list];
    for (let at = copy.length - 1; at > 0; at -= 1) {
      const other = Math.floor(random() * (at + 1));
      [copy[at], copy[other]] = [copy[other]!, copy[at]!];
    }
    return copy;
  };
  const table = (pairs: [string, Value][]): Value => Object.fromEntries(odds(0.5) ? shuffled(pairs) : pairs);
  const percent = () => {
    const written = `${1 + Math.floor(random() * 99)}%`;
    return one(written, written, written, `"${written}"`, `'${written}'`);
  };
  const some = (share: number, name: string, value: () => Value): [string, Value][] => (odds(share) ? [[name, value()]] : []);
  const threshold = () => table([...some(0.3, "of", () => one("upstream", "gateway")), ["enter", percent()], ...some(0.7, "exit", percent)]);
  const admission = () =>
    table([
      ...some(0.4, "mode", () => one("enforce", "shadow", "off", '"shadow"')),
      ...some(0.6, "rps", () => table([["limit", one("500", "0.5", "20")], ...some(0.5, "burst", () => "50"), ...some(0.3, "per", () => "caller")])),
      ...some(0.5, "cpu", threshold),
      ...some(0.6, "workers", threshold),
      ...some(0.3, "on_stale", () => one("proven", "open", "closed")),
      ...some(0.2, "later", () => table([["unknown", "1"], ["key", '"a: b # c"']])),
    ]);
  const route = () =>
    table([
      ["match", table([...some(0.7, "methods", () => "[GET, HEAD]"), ["path", one("/a/**", '"/a b/*"', "/한글/*")]])],
      one<[string, Value]>(["upstream", "mailbox"], ["function", "mail-receive"]),
      ...some(0.7, "class", () => one("batch", "bulk", "default", "'batch'")),
      ...some(0.7, "admission", admission),
      ...some(0.4, "cache", () => table([...some(0.6, "fresh_for", () => "30s"), ...some(0.4, "max_object", () => "1MiB")])),
      ...some(0.1, "x-note", () => "|BLOCK"),
    ]);
  const many = (most: number, made: () => Value) =>
    Object.fromEntries(Array.from({ length: 1 + Math.floor(random() * most) }, (_, at) => [`name-${at}${odds(0.2) ? ".v1" : ""}`, made()]));
  const all: [string, Value][] = [
    ["version", "1"],
    ["upstreams", { mailbox: { endpoints: "[http://127.0.0.1:9101]" } }],
    ...some(0.7, "functions", () => many(3, () => table([["upstream", "mailbox"], ...some(0.6, "reserved", () => "30")]))),
    ["routes", many(4, route)],
    ...some(0.2, "unknown", () => one<Value>("[1, {a: b}, 'c']", "&anchor text", "!!str tagged")),
  ];

  const comment = () => one("# a: b", "#", "# 주석 — “quoted” {x}", "#\t- tab");
  const flow = (value: Value): string => {
    if (typeof value === "string") return value === "|BLOCK" ? '"block"' : value;
    const pairs = Object.entries(value).map(([key, inner]) => `${key}: ${flow(inner)}`);
    const [open, close] = one(["{ ", " }"], ["{", "}"], ["{  ", "}"]);
    if (pairs.length > 1 && odds(0.1)) {
      const deep = " ".repeat(24);
      return `{\n${deep}${pairs.join(`, # x\n${deep}`)}${odds(0.3) ? "," : ""}\n${deep}}`;
    }
    return pairs.length === 0 ? one("{}", "{ }") : `${open}${pairs.join(one(", ", ",  "))}${odds(0.1) ? "," : ""}${close}`;
  };
  const lines: string[] = [];
  const block = (value: { [key: string]: Value }, depth: number) => {
    const indent = " ".repeat(depth * step);
    for (const [key, inner] of Object.entries(value)) {
      while (odds(comments / 2)) lines.push(odds(0.5) ? "" : `${indent}${comment()}`);
      const quoted = odds(0.05) ? `"${key}"` : key;
      const tail = odds(comments) ? `${one(" ", "   ")}${comment()}` : odds(0.05) ? "  " : "";
      if (inner === "|BLOCK") lines.push(`${indent}${quoted}: |`, `${indent}${" ".repeat(step)}first # no comment`, "", `${indent}${" ".repeat(step)}  last`);
      else if (typeof inner === "string") lines.push(`${indent}${quoted}:${one(" ", " ", "  ")}${inner}${tail}`);
      else if (Object.keys(inner).length === 0 || (depth > 0 && odds(0.4))) lines.push(`${indent}${quoted}: ${flow(inner)}${tail}`);
      else {
        lines.push(`${indent}${quoted}:${tail}`);
        block(inner, depth + 1);
      }
    }
  };
  if (odds(0.2)) lines.push("# head", "");
  if (odds(0.1)) lines.push("---");
  block(Object.fromEntries(odds(0.3) ? shuffled(all) : all), 0);
  while (odds(comments / 2)) lines.push(odds(0.5) ? "" : comment());
  const newline = odds(0.2) ? "\r\n" : "\n";
  return lines.join("\n").replaceAll("\n", newline) + (odds(0.85) ? newline : "");
}
