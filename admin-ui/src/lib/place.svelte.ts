/** Where the page is: everything that a link can say stands in the address, nothing else does. */

class Place {
  path = $state("/");
  search = $state.raw(new URLSearchParams());

  /** The screen: the first segment of the path. */
  get screen(): string {
    return this.path.split("/")[1] ?? "";
  }

  /** The rest of the path, decoded: a route's name, a trace's id. */
  get rest(): string {
    const rest = this.path.split("/").slice(2).join("/");
    try {
      return decodeURIComponent(rest);
    } catch {
      return rest;
    }
  }

  /** Follows the address bar and the links of the page. */
  begin(): () => void {
    this.#read();
    const back = () => this.#read();
    const click = (event: MouseEvent) => this.#follow(event);
    addEventListener("popstate", back);
    document.addEventListener("click", click);
    return () => {
      removeEventListener("popstate", back);
      document.removeEventListener("click", click);
    };
  }

  go(address: string): void {
    history.pushState(null, "", address);
    this.#read();
  }

  /** Changes what stands behind the question mark without a new entry in the history; null removes. */
  set(values: Record<string, string | null>): void {
    const search = new URLSearchParams(this.search);
    for (const [name, value] of Object.entries(values)) {
      if (value === null || value === "") search.delete(name);
      else search.set(name, value);
    }
    const text = search.toString();
    history.replaceState(null, "", `${this.path}${text === "" ? "" : `?${text}`}`);
    this.search = search;
  }

  #read(): void {
    this.path = location.pathname;
    this.search = new URLSearchParams(location.search);
  }

  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.("a[href]");
    if (!(link instanceof HTMLAnchorElement) || link.target !== "" || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (link.getAttribute("href")?.startsWith("#")) return;
    event.preventDefault();
    this.go(`${link.pathname}${link.search}`);
  }
}

export const place = new Place();
