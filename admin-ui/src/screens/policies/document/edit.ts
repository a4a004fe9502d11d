/**
 * Changes one value of a YAML text and nothing else: the text is parsed only to find out where the value
 * stands, and what comes back is the piece of text to replace. Comments, order, unknown keys, quotes, line
 * endings and indentation of everything else stay byte for byte. Pure.
 *
 * What can't be changed without touching more (anchors, aliases, block scalars, a text that is not YAML)
 * is refused with `NotEditable`; the text editor is there for it.
 */

import { isAlias, isCollection, isMap, isScalar, parseDocument, Scalar, type Pair, type YAMLMap } from "yaml";

/** Names from the top of the document down to a value. */
export type Path = readonly string[];

/** One replacement in a text, by offsets in UTF-16 units, as a text editor takes it. */
export interface Edit {
  from: number;
  to: number;
  insert: string;
}

/** The form can't make this change; its message is for the log, people are sent to the text. */
export class NotEditable extends Error {
  constructor(why: string) {
    super(why);
    this.name = "NotEditable";
  }
}

/** What `edit` may be told beside the value. */
export interface EditOptions {
  /** Order in which the keys of a table are usually written; a new key goes behind the last that precedes it. */
  order?: readonly string[];
  /** Keys whose empty table says something: they stay as `{}` when their last key goes. */
  keep?: readonly string[];
}

/** What makes `path` say `value` (null: not written); null where it does already. */
export function edit(text: string, path: Path, value: string | null, options: EditOptions = {}): Edit | null {
  const root = parsed(text);
  const made = value === null ? removal(text, root, path, options.keep ?? []) : writing(text, root, path, value, options.order ?? []);
  if (made === null) return null;
  // The text is believed only after it was read again.
  const after = applied(text, made);
  const read = parseDocument(after);
  if (read.errors.length > 0 || valueAt(read.contents, path) !== value) throw new NotEditable(`${path.join(".")} stands in a form that can't be changed`);
  return made;
}

export const applied = (text: string, { from, to, insert }: Edit): string => text.slice(0, from) + insert + text.slice(to);

/** The value at a path as it is written, without quotes; null where there is none. */
export function valueAt(node: unknown, path: Path): string | null {
  let at: unknown = node;
  for (const name of path) at = isMap(at) ? pairOf(at, name)?.value : undefined;
  if (!isScalar(at)) return null;
  if (at.type === Scalar.PLAIN) return at.source === undefined || at.source === "" ? null : at.source;
  return typeof at.value === "string" ? at.value : null;
}

/** The pair of that name. */
export function pairOf(map: YAMLMap, name: string): Pair | undefined {
  return map.items.find(({ key }) => isScalar(key) && String(key.value) === name);
}

function parsed(text: string): YAMLMap {
  const document = parseDocument(text);
  if (document.errors.length > 0) throw new NotEditable("the text is not valid YAML");
  if (!isMap(document.contents)) throw new NotEditable("the text is no table");
  return document.contents as YAMLMap;
}

// === writing ===

function writing(text: string, root: YAMLMap, path: Path, value: string, order: readonly string[]): Edit | null {
  let map = root;
  for (const [depth, name] of path.entries()) {
    const pair = pairOf(map, name);
    const rest = path.slice(depth + 1);
    if (pair === undefined) return insertion(text, map, `${name}: ${nested(rest, value)}`, name, order);
    const found = pair.value;
    if (isMap(found) && rest.length > 0) {
      map = found as YAMLMap;
      continue;
    }
    if (isAlias(found) || isCollection(found)) throw new NotEditable(`${name} is no single value`);
    if (rest.length > 0 && !isEmpty(found)) throw new NotEditable(`${name} is no table`);
    return rest.length === 0 ? replacement(text, pair, value) : filling(text, pair, nested(rest, value));
  }
  return null;
}

/** Another value in the place of the one that stands there, in the same quotes. */
function replacement(text: string, pair: Pair, value: string): Edit | null {
  const found = pair.value;
  if (isEmpty(found)) return filling(text, pair, plain(value));
  if (!isScalar(found) || !found.range) throw new NotEditable("not a single value");
  const [from, to] = found.range;
  switch (found.type) {
    case Scalar.QUOTE_DOUBLE:
      return found.value === value ? null : { from, to, insert: JSON.stringify(value) };
    case Scalar.QUOTE_SINGLE:
      return found.value === value ? null : { from, to, insert: `'${value.replaceAll("'", "''")}'` };
    case Scalar.PLAIN:
      return found.source === value ? null : { from, to, insert: plain(value) };
    default:
      throw new NotEditable("a text over several lines");
  }
}

/** A value behind a key that has none yet, or only `null`. */
function filling(text: string, pair: Pair, written: string): Edit {
  const found = pair.value;
  if (isScalar(found) && found.range && found.range[1] > found.range[0]) return { from: found.range[0], to: found.range[1], insert: written };
  const colon = colonAfter(text, pair);
  if (colon === null) throw new NotEditable("a key without a value");
  return { from: colon, to: colon, insert: ` ${written}` };
}

function insertion(text: string, map: YAMLMap, written: string, name: string, order: readonly string[]): Edit {
  const before = predecessor(map, name, order);
  if (map.flow) return insertionInFlow(text, map, written, before);
  if (before === undefined) throw new NotEditable("a table that is not there");
  const indent = " ".repeat(startOf(map.items[0]!) - lineStart(text, startOf(map.items[0]!)));
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const end = lineEnd(text, before);
  return text.charAt(end - 1) === "\n"
    ? { from: end, to: end, insert: `${indent}${written}${newline}` }
    : { from: end, to: end, insert: `${newline}${indent}${written}` };
}

function insertionInFlow(text: string, map: YAMLMap, written: string, before: Pair | undefined): Edit {
  const [from, to] = rangeOf(map);
  if (before !== undefined) {
    const end = endOf(text, before);
    return { from: end, to: end, insert: `, ${written}` };
  }
  const blank = text.slice(from + 1, to - 1).trim() === "";
  return blank ? { from: from + 1, to: to - 1, insert: ` ${written} ` } : { from: from + 1, to: from + 1, insert: ` ${written}` };
}

/** The last pair that is usually written before `name`; the last of all where the order says nothing. */
function predecessor(map: YAMLMap, name: string, order: readonly string[]): Pair | undefined {
  const place = order.indexOf(name);
  const earlier = map.items.filter(({ key }) => isScalar(key) && order.slice(0, Math.max(0, place)).includes(String(key.value)));
  return earlier.at(-1) ?? map.items.at(-1);
}

const nested = (rest: Path, value: string): string => rest.reduceRight((inner, name) => `{ ${name}: ${inner} }`, plain(value));

/** As YAML writes it: bare where it means itself also between braces, else in quotes. */
function plain(value: string): string {
  const bare = /^[\p{L}\p{N}/][\p{L}\p{N} _.%/*+-]*$/u.test(value) && value.trim() === value && !/^(true|false|null|yes|no|on|off)$/i.test(value);
  return bare || value === "off" ? value : JSON.stringify(value);
}

// === removal ===

function removal(text: string, root: YAMLMap, path: Path, keep: readonly string[]): Edit | null {
  const maps = [root];
  for (const name of path.slice(0, -1)) {
    const next = pairOf(maps.at(-1)!, name)?.value;
    if (next !== undefined && next !== null && !isMap(next) && !isEmpty(next)) throw new NotEditable(`${name} is no table`);
    if (!isMap(next)) return null;
    maps.push(next as YAMLMap);
  }
  // A table that would be empty goes with its last key, unless being there means something.
  let depth = path.length - 1;
  if (pairOf(maps[depth]!, path[depth]!) === undefined) return null;
  while (depth > 2 && maps[depth]!.items.length === 1 && !keep.includes(path[depth - 1]!)) depth -= 1;
  const map = maps[depth]!;
  const pair = pairOf(map, path[depth]!)!;
  if (map.flow) return removalInFlow(text, map, pair);
  if (map.items.length === 1) {
    const owner = pairOf(maps[depth - 1]!, path[depth - 1]!)!;
    const colon = colonAfter(text, owner);
    if (colon === null || !keep.includes(path[depth - 1]!)) throw new NotEditable("the last key of a table");
    // The comment behind the owner's colon stays.
    const end = endOf(text, pair);
    const line = text.slice(colon, end).split("\n", 1)[0]!.replace(/\r$/, "");
    return { from: colon, to: end, insert: ` {}${line}` };
  }
  const from = lineStart(text, startOf(pair));
  if (text.slice(from, startOf(pair)).trim() !== "") throw new NotEditable("a key that does not begin its line");
  const to = lineEnd(text, pair);
  if (text.charAt(to - 1) === "\n") return { from, to, insert: "" };
  // The last line without an end: the end before it goes instead.
  return { from: text.charAt(from - 2) === "\r" ? from - 2 : Math.max(0, from - 1), to, insert: "" };
}

function removalInFlow(text: string, map: YAMLMap, pair: Pair): Edit {
  const at = map.items.indexOf(pair);
  const [before, next] = [map.items[at - 1], map.items[at + 1]];
  const [from, to] = rangeOf(map);
  const [start, end] = [startOf(pair), endOf(text, pair)];
  const ownLine = text.slice(lineStart(text, start), start).trim() === "";
  if (next !== undefined && (ownLine || before === undefined)) return { from: start, to: startOf(next), insert: "" };
  // The comma before it stays where a comment stands between them: one may follow the last pair, too.
  if (before !== undefined && ownLine) return { from: lineStart(text, start), to: end + (/^\s*,/.exec(text.slice(end))?.[0].length ?? 0), insert: "" };
  if (before !== undefined) return { from: endOf(text, before), to: end, insert: "" };
  return { from: from + 1, to: to - 1, insert: "" };
}

// === where things stand ===

const isEmpty = (node: unknown): boolean => node === null || node === undefined || (isScalar(node) && node.value === null);

function rangeOf(node: { range?: [number, number, number] | null | undefined }): [number, number] {
  if (!node.range) throw new NotEditable("a part of the text that was not written");
  return [node.range[0], node.range[1]];
}

function startOf({ key }: Pair): number {
  if (!isScalar(key)) throw new NotEditable("a key that is no word");
  return rangeOf(key)[0];
}

/** Behind the last sign of a pair's value, comments not counted. */
function endOf(text: string, pair: Pair): number {
  return endOfNode(text, pair.value) ?? colonAfter(text, pair) ?? rangeOf(pair.key as Scalar)[1];
}

function endOfNode(text: string, node: unknown): number | null {
  if (isMap(node) && !node.flow && node.items.length > 0) return endOf(text, node.items.at(-1)!);
  if (isCollection(node) && !node.flow && node.items.length > 0) return endOfNode(text, node.items.at(-1));
  if (isScalar(node) && node.range && node.range[1] === node.range[0]) return null; // nothing is written
  return isScalar(node) || isAlias(node) || isCollection(node) ? rangeOf(node)[1] : null;
}

/** Behind the colon of a pair; null where it has none. */
function colonAfter(text: string, { key }: Pair): number | null {
  if (!isScalar(key)) return null;
  let at = rangeOf(key)[1];
  while (text.charAt(at) === " " || text.charAt(at) === "\t") at += 1;
  return text.charAt(at) === ":" ? at + 1 : null;
}

const lineStart = (text: string, at: number): number => text.lastIndexOf("\n", at - 1) + 1;

/** Behind the line on which a pair ends, with its line ending if it has one. */
function lineEnd(text: string, pair: Pair): number {
  const end = endOf(text, pair);
  if (text.charAt(end - 1) === "\n") return end; // a block scalar ends with its line
  const newline = text.indexOf("\n", end);
  return newline < 0 ? text.length : newline + 1;
}
