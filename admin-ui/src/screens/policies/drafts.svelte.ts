/**
 * What was written and not saved yet: one draft a file, kept in the tab's session storage so that a reload, a
 * new login or a lost gateway loses nothing. Each tab has its own; two of them meet at the file's tag.
 */

/** Signs kept over a reload, all drafts with what they began with together; browsers give a tab about 5 million. */
export const DRAFTS_CHARS_MAX = 2_000_000;

export interface Draft {
  /** What the file said when the draft began; nothing for a new file. */
  base: string;
  /** The tag of that; null: the file is new. */
  etag: string | null;
  text: string;
}

type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

export class Drafts {
  /** By file. Replaced as a whole, never changed inside. */
  all = $state.raw<Record<string, Draft>>({});
  /** Whether all of it would survive a reload. */
  kept = $state(true);
  readonly #store: Store;
  readonly #key: string;

  /** Drafts of one user: whoever logs in next on the same tab sees none of them. */
  constructor(store: Store, user: string) {
    this.#store = store;
    this.#key = `sumun.drafts.${user}`;
    this.all = read(store.getItem(this.#key));
  }

  of(file: string): Draft | null {
    return this.all[file] ?? null;
  }

  write(file: string, draft: Draft): void {
    // A draft that says what the file says is none.
    const idle = draft.etag !== null && draft.text === draft.base;
    const { [file]: _, ...others } = this.all;
    this.#replace(idle ? others : { ...others, [file]: draft });
  }

  drop(file: string): void {
    const { [file]: _, ...others } = this.all;
    this.#replace(others);
  }

  #replace(all: Record<string, Draft>): void {
    this.all = all;
    const text = JSON.stringify(all);
    try {
      if (Object.keys(all).length === 0) this.#store.removeItem(this.#key);
      else if (text.length > DRAFTS_CHARS_MAX) throw new RangeError("drafts are larger than what is kept");
      else this.#store.setItem(this.#key, text);
      this.kept = true;
    } catch {
      // What an earlier write left behind would come back as if it were the newest.
      this.#store.removeItem(this.#key);
      this.kept = false;
    }
  }
}

/** What is in the store, as far as it is what this module wrote. */
function read(text: string | null): Record<string, Draft> {
  let found: unknown;
  try {
    found = JSON.parse(text ?? "{}");
  } catch {
    return {};
  }
  if (typeof found !== "object" || found === null) return {};
  return Object.fromEntries(Object.entries(found).filter((entry): entry is [string, Draft] => isDraft(entry[1])));
}

function isDraft(found: unknown): found is Draft {
  if (typeof found !== "object" || found === null) return false;
  const { base, etag, text } = found as Partial<Draft>;
  return typeof base === "string" && typeof text === "string" && (etag === null || typeof etag === "string");
}
