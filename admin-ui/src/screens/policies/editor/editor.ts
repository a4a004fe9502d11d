/**
 * The text editor: CodeMirror in a shadow tree. There its styles are constructed sheets, which a strict
 * `style-src 'self'` lets be; in the page itself they would be `<style>` elements and need an exception. Custom
 * properties reach into the tree, so the colours follow the page's theme by themselves.
 */

import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { Problem } from "../../../api/types";
import { change, newlineOf, position } from "./text";

const MONO = 'ui-monospace, "SF Mono", "Cascadia Mono", Menlo, monospace';

const theme = EditorView.theme({
  "&": { color: "var(--text)", backgroundColor: "var(--surface)", fontSize: "13.5px", height: "100%" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: MONO, lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--text)", padding: "8px 0" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { color: "var(--quiet)", backgroundColor: "var(--ground)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 8%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    background: "color-mix(in srgb, var(--accent) 28%, transparent)",
  },
  ".cm-tooltip": { color: "var(--text)", backgroundColor: "var(--surface)", border: "1px solid var(--line)", borderRadius: "6px", maxWidth: "42em" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--alarm)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--alarm)", textUnderlineOffset: "3px" },
  ".cm-lint-marker-error": { content: '""', width: "8px", height: "8px", marginTop: "6px", borderRadius: "50%", background: "var(--alarm)" },
  ".cm-collapsedLines": { color: "var(--quiet)", background: "var(--ground)" },
  ".cm-collapsedLines:focus-visible": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
  // Its own sign is in few fonts.
  ".cm-collapsedLines::before, .cm-collapsedLines::after": { content: '"⋯" !important' },
  ".cm-merge-revert button": { color: "var(--accent)" },
  ".cm-changedLine": { backgroundColor: "color-mix(in srgb, var(--accent) 10%, transparent) !important" },
  "&.cm-merge-a .cm-changedLine, .cm-deletedChunk": { backgroundColor: "var(--alarm-ground) !important" },
  "&.cm-merge-b .cm-changedLine": { backgroundColor: "var(--good-ground) !important" },
});

const highlights = HighlightStyle.define([
  { tag: [tags.definition(tags.propertyName), tags.propertyName], color: "var(--accent)" },
  { tag: [tags.comment, tags.lineComment], color: "var(--quiet)", fontStyle: "italic" },
  { tag: [tags.string, tags.content], color: "var(--text)" },
  { tag: [tags.punctuation, tags.separator, tags.brace, tags.squareBracket], color: "var(--quiet)" },
  { tag: [tags.labelName, tags.typeName, tags.keyword], color: "var(--warn)" },
]);

/** What every text of this page is shown with. Tab leaves the text: nobody is caught in it. */
export function basics(text: string, label: string, readOnly: boolean): Extension[] {
  return [
    EditorState.lineSeparator.of(newlineOf(text)),
    EditorState.tabSize.of(2),
    EditorState.readOnly.of(readOnly),
    EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", tabindex: "0" }),
    EditorView.lineWrapping,
    lineNumbers(),
    history(),
    drawSelection(),
    indentOnInput(),
    yaml(),
    syntaxHighlighting(highlights),
    theme,
    keymap.of([...defaultKeymap, ...historyKeymap]),
  ];
}

export interface EditorOptions {
  text: string;
  label: string;
  onChange: (text: string) => void;
  /** Ctrl+S, ⌘S. */
  onSave: () => void;
}

export interface Editor {
  /** Shows another text; only what differs is touched, so that the cursor and the way back stay. */
  show(text: string): void;
  /** Marks what is wrong. */
  mark(problems: Problem[]): void;
  go(line: number, column: number): void;
  end(): void;
}

/** A shadow tree for an editor; the one that is there already where there is one. */
export const rootOf = (host: HTMLElement): ShadowRoot => host.shadowRoot ?? host.attachShadow({ mode: "open" });

export function begin(host: HTMLElement, { text, label, onChange, onSave }: EditorOptions): Editor {
  const root = rootOf(host);
  let showing = false;
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: text,
      extensions: [
        keymap.of([{ key: "Mod-s", preventDefault: true, run: () => (onSave(), true) }]),
        basics(text, label, false),
        lintGutter(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        EditorView.updateListener.of((update) => {
          if (update.docChanged && !showing) onChange(update.state.sliceDoc());
        }),
      ],
    }),
  });
  return {
    show(next) {
      const made = change(view.state.sliceDoc(), next, view.state.lineBreak);
      if (made === null) return;
      showing = true;
      view.dispatch({ changes: made });
      showing = false;
    },
    mark(problems) {
      const { doc } = view.state;
      const marks = problems.map((problem): Diagnostic => {
        const line = doc.line(Math.min(Math.max(1, problem.line), doc.lines));
        const { from, to } = position(line.text, problem.column);
        return { from: line.from + from, to: line.from + to, severity: "error", message: problem.help === "" ? problem.message : `${problem.message}\n${problem.help}` };
      });
      view.dispatch(setDiagnostics(view.state, marks));
    },
    go(line, column) {
      const at = view.state.doc.line(Math.min(Math.max(1, line), view.state.doc.lines));
      view.dispatch({ selection: { anchor: at.from + position(at.text, column).from }, scrollIntoView: true });
      view.focus();
    },
    end: () => view.destroy(),
  };
}
