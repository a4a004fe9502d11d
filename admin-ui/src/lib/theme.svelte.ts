/** Light or dark: what was chosen, else what the system says. */

export type Theme = "light" | "dark" | "system";

const KEY = "sumun.theme";
const ORDER: Theme[] = ["system", "light", "dark"];

class Choice {
  current = $state<Theme>("system");

  begin(): void {
    const kept = localStorage.getItem(KEY);
    this.use(kept === "light" || kept === "dark" ? kept : "system");
  }

  next(): void {
    this.use(ORDER[(ORDER.indexOf(this.current) + 1) % ORDER.length] ?? "system");
  }

  use(theme: Theme): void {
    this.current = theme;
    if (theme === "system") {
      localStorage.removeItem(KEY);
      delete document.documentElement.dataset["theme"];
    } else {
      localStorage.setItem(KEY, theme);
      document.documentElement.dataset["theme"] = theme;
    }
  }
}

export const theme = new Choice();
