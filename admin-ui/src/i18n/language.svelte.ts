/** The language of the page: what was chosen, else what the browser asks for, else English. */

import en, { type Texts } from "./en";
import ko from "./ko";

export type Language = "en" | "ko";

const KEY = "sumun.language";
const TEXTS: Record<Language, Texts> = { en, ko };

/** The language to begin with. */
export function preferred(chosen: string | null, asked: readonly string[]): Language {
  if (chosen === "en" || chosen === "ko") return chosen;
  for (const language of asked) {
    if (/^ko\b/i.test(language)) return "ko";
    if (/^en\b/i.test(language)) return "en";
  }
  return "en";
}

class Choice {
  current = $state<Language>("en");

  get texts(): Texts {
    return TEXTS[this.current];
  }

  /** Texts of a screen of its own, in this language. */
  of<T>(texts: Record<Language, T>): T {
    return texts[this.current];
  }

  begin(): void {
    this.#use(preferred(localStorage.getItem(KEY), navigator.languages ?? []));
  }

  toggle(): void {
    this.#use(this.current === "en" ? "ko" : "en");
    localStorage.setItem(KEY, this.current);
  }

  #use(language: Language): void {
    this.current = language;
    document.documentElement.lang = language;
  }
}

export const language = new Choice();
