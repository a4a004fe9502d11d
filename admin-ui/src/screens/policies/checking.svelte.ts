/** Asks the gateway what it thinks of a draft: a moment after the last key, and never for one that is not the newest. */

import type { Api } from "../../api/client";
import type { Problem } from "../../api/types";

/** A draft that is being written is not checked at each key. */
const PAUSE_MS = 250;

export class Checking {
  problems = $state.raw<Problem[]>([]);
  /** What would change, one sentence each. */
  diff = $state.raw<string[]>([]);
  /** The text that was found without problems last; null: none was. */
  fine = $state.raw<string | null>(null);
  busy = $state(false);
  /** Why there is no answer. */
  failed = $state<string | null>(null);

  /** To be made while a component is: it ends with it. */
  constructor(api: Api, draft: () => { file: string; text: string } | null) {
    let before: string | null = null;
    $effect(() => {
      const asked = draft();
      if (asked === null) return;
      const left = new AbortController();
      // Another file is another question: nothing is said of it before the answer.
      if (before !== asked.file) [this.problems, this.diff, this.fine, before] = [[], [], null, asked.file];
      this.busy = true;
      const timer = setTimeout(() => {
        api.check({ [asked.file]: asked.text }, left.signal).then(
          ({ problems, diff }) => {
            [this.problems, this.diff, this.failed, this.busy] = [problems, diff, null, false];
            this.fine = problems.length === 0 ? asked.text : null;
          },
          (cause: unknown) => {
            if (left.signal.aborted) return;
            [this.failed, this.busy, this.fine] = [cause instanceof Error ? cause.message : String(cause), false, null];
          },
        );
      }, PAUSE_MS);
      return () => {
        clearTimeout(timer);
        left.abort();
      };
    });
  }
}
