/** A page and a stream of events that a test turns, for tests. */

export class Page extends EventTarget {
  hidden = false;
  show(visible: boolean) {
    this.hidden = !visible;
    this.dispatchEvent(new Event("visibilitychange"));
  }
}

export class Source extends EventTarget {
  readyState = 0;
  close() {
    this.readyState = 2;
  }
  tell(data: string) {
    this.dispatchEvent(new MessageEvent("tick", { data }));
  }
  refuse() {
    this.readyState = 2;
    this.dispatchEvent(new Event("error"));
  }
}
