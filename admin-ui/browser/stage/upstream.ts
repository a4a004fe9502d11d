/**
 * A small real service: answers at once or, under `/hold`, when it is let, and tells its load as a Spring Boot
 * service does. Listens on a free port of the loopback address.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export class Upstream {
  /** What the next scrape says: threads busy and at most, CPU as a share; null: there is no Actuator. */
  load: { busy: number; max: number; cpu: number } | null = { busy: 2, max: 20, cpu: 0.2 };
  /** Calls that were no scrapes. */
  calls = 0;
  readonly #server: Server;
  readonly #held = new Set<ServerResponse>();

  private constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async start(): Promise<Upstream> {
    const upstream = new Upstream();
    await new Promise<void>((listening) => upstream.#server.listen(0, "127.0.0.1", listening));
    return upstream;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Calls that wait for their answer. */
  get held(): number {
    return this.#held.size;
  }

  /** Answers all that wait. */
  release(): void {
    for (const response of this.#held) this.#say(response);
    this.#held.clear();
  }

  async stop(): Promise<void> {
    this.release();
    this.#server.closeAllConnections();
    await new Promise((closed) => this.#server.close(closed));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (request.url === "/actuator/prometheus") {
      const { load } = this;
      if (load === null) response.writeHead(404).end();
      else response.setHeader("content-type", "text/plain;version=0.0.4;charset=utf-8").end(actuator(load));
      return;
    }
    this.calls += 1;
    request.resume();
    request.on("end", () => {
      if (!request.url?.startsWith("/hold")) return this.#say(response);
      this.#held.add(response);
      response.on("close", () => this.#held.delete(response));
    });
  }

  #say(response: ServerResponse): void {
    response.setHeader("content-type", "application/json").end(JSON.stringify({ letters: ["one", "two"] }));
  }
}

/** Micrometer's names, as Tomcat's registry exposes them. */
function actuator({ busy, max, cpu }: { busy: number; max: number; cpu: number }): string {
  return `# TYPE tomcat_threads_busy_threads gauge
tomcat_threads_busy_threads{name="http-nio-8080",} ${busy.toFixed(1)}
# TYPE tomcat_threads_config_max_threads gauge
tomcat_threads_config_max_threads{name="http-nio-8080",} ${max.toFixed(1)}
# TYPE system_cpu_usage gauge
system_cpu_usage ${cpu}
`;
}
