/** Two texts beside each other, the right one to be written: CodeMirror's merge view, in a shadow tree as the editor. */

import { MergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { basics, rootOf } from "./editor";

export interface MergeOptions {
  left: string;
  leftLabel: string;
  right: string;
  rightLabel: string;
  /** CodeMirror's own words in the page's language. */
  phrases: Record<string, string>;
  onChange: (right: string) => void;
}

/** Ends when what it gives back is called. */
export function begin(host: HTMLElement, { left, leftLabel, right, rightLabel, phrases, onChange }: MergeOptions): () => void {
  const root = rootOf(host);
  const view = new MergeView({
    parent: root,
    root,
    a: { doc: left, extensions: [basics(left, leftLabel, true), EditorState.phrases.of(phrases)] },
    b: {
      doc: right,
      extensions: [
        basics(right, rightLabel, false),
        EditorState.phrases.of(phrases),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) onChange(update.state.sliceDoc());
        }),
      ],
    },
    revertControls: "a-to-b",
    collapseUnchanged: { margin: 3, minSize: 6 },
  });
  return () => view.destroy();
}
