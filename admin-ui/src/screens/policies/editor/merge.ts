/** Two texts beside each other, the right one to be written: CodeMirror's merge view, in a shadow tree as the editor. */

import { MergeView } from "@codemirror/merge";
import { EditorState, Prec, type Extension } from "@codemirror/state";
import { EditorView, ViewPlugin } from "@codemirror/view";
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

const FOLDED = ".cm-collapsedLines";

/** Lines that are folded open by the mouse; here by the keyboard too, as the buttons that they are. */
const unfolding: Extension = [
  ViewPlugin.define((view) => {
    const mark = () => {
      for (const folded of view.contentDOM.querySelectorAll(FOLDED)) {
        folded.setAttribute("role", "button");
        folded.setAttribute("aria-expanded", "false");
        folded.setAttribute("tabindex", "0");
      }
    };
    // They are drawn anew as the text scrolls and changes: looked for after each drawing.
    const look = () => view.requestMeasure({ key: mark, read: () => undefined, write: mark });
    look();
    return { update: look };
  }),
  Prec.highest(
    EditorView.domEventHandlers({
      keydown(event, view) {
        const folded = event.target instanceof Element ? event.target.closest<HTMLElement>(FOLDED) : null;
        if (folded === null || (event.key !== "Enter" && event.key !== " ")) return false;
        const at = view.posAtDOM(folded);
        folded.click();
        // The button is gone: on with its lines.
        view.dispatch({ selection: { anchor: at }, scrollIntoView: true });
        view.focus();
        return true;
      },
    }),
  ),
];

/** Ends when what it gives back is called. */
export function begin(host: HTMLElement, { left, leftLabel, right, rightLabel, phrases, onChange }: MergeOptions): () => void {
  const root = rootOf(host);
  const view = new MergeView({
    parent: root,
    root,
    a: { doc: left, extensions: [unfolding, basics(left, leftLabel, true), EditorState.phrases.of(phrases)] },
    b: {
      doc: right,
      extensions: [
        unfolding,
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
