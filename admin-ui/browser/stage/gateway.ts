/**
 * The real gateway as a child process: policies, settings and state in a folder of its own, both listeners on free
 * ports of the loopback address. It begins once its readiness says so and is killed at the end.
 */

import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BINARY } from "./places";
import { until } from "./until";

export interface Start {
  /** Texts by file name. */
  policies: Record<string, string>;
  /** `sumun.yaml`. */
  settings: string;
}

export class Gateway {
  /** Base URLs, without a slash at the end. */
  data = "";
  admin = "";
  readonly #folder = mkdtempSync(join(tmpdir(), "sumun-browser-"));
  readonly #child: ChildProcess;
  #printed = "";

  private constructor({ policies, settings }: Start) {
    mkdirSync(join(this.#folder, "policies"));
    for (const [file, text] of Object.entries(policies)) this.write(file, text);
    writeFileSync(join(this.#folder, "sumun.yaml"), settings);
    this.#child = spawn(
      BINARY,
      ["run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", "1", "--policies", "policies", "--state", "state", "--config", "sumun.yaml"],
      { cwd: this.#folder, env: environment(), stdio: ["ignore", "pipe", "pipe"] },
    );
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.on("data", (part: Buffer) => (this.#printed += part.toString()));
    this.#child.on("error", (cause) => (this.#printed += String(cause)));
  }

  static async start(start: Start): Promise<Gateway> {
    const gateway = new Gateway(start);
    try {
      await gateway.#ready();
    } catch (cause) {
      await gateway.stop();
      throw new Error(`the gateway did not become ready:\n${gateway.printed}`, { cause });
    }
    return gateway;
  }

  /** What it said so far. */
  get printed(): string {
    return this.#printed;
  }

  /** The link that the first start prints. */
  get link(): string {
    const link = /^login\s+(\S+)$/m.exec(this.#printed)?.[1];
    if (link === undefined) throw new Error(`no login link was printed:\n${this.#printed}`);
    return link;
  }

  get token(): string {
    return readFileSync(join(this.#folder, "state", "admin.token"), "utf8").trim();
  }

  /** A policy file as it stands on disk. */
  read(file: string): string {
    return readFileSync(join(this.#folder, "policies", file), "utf8");
  }

  /** Writes a policy file the way an editor does: beside it, then renamed. */
  write(file: string, text: string): void {
    const fresh = join(this.#folder, `${file}.new`);
    writeFileSync(fresh, text);
    renameSync(fresh, join(this.#folder, "policies", file));
  }

  /** A call of a service, through the gateway; its body is read. */
  async call(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await fetch(`${this.data}${path}`, init);
    await response.arrayBuffer();
    return response;
  }

  /** That many calls, one after the other; answers how many got each status. */
  async calls(times: number, path: string, init: RequestInit = {}): Promise<Record<number, number>> {
    const statuses: Record<number, number> = {};
    for (let at = 0; at < times; at += 1) {
      const { status } = await this.call(path, init);
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
    return statuses;
  }

  /** A call of the admin API with the token. Fails where the answer is no success. */
  async api(method: string, path: string, { headers = {}, body }: { headers?: Record<string, string>; body?: string } = {}): Promise<Response> {
    const response = await fetch(`${this.admin}/api/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, ...headers },
      ...(body === undefined ? {} : { body }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  }

  /** Saves a policy file as a program does. */
  async save(file: string, text: string, reason: string, headers: Record<string, string> = {}): Promise<void> {
    const present = await this.api("GET", `policies/${file}`);
    const etag = present.headers.get("etag") ?? "";
    await present.arrayBuffer();
    await this.api("PUT", `policies/${file}`, { headers: { "if-match": etag, "content-type": "application/yaml", "x-change-reason": Buffer.from(reason).toString("latin1"), ...headers }, body: text });
  }

  /** The process stands still: it neither answers nor closes. */
  freeze(): void {
    this.#child.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child.kill("SIGCONT");
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined) {
      const ended = new Promise((exit) => this.#child.once("exit", exit));
      this.#child.kill("SIGKILL");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #ready(): Promise<void> {
    const { listen, admin } = await until("addresses.json", () => {
      if (this.#child.exitCode !== null || this.#child.pid === undefined) throw new Error(this.#printed);
      try {
        return JSON.parse(readFileSync(join(this.#folder, "state", "addresses.json"), "utf8")) as { listen: string; admin: string };
      } catch {
        return null; // not written yet
      }
    });
    [this.data, this.admin] = [`http://${listen}`, `http://${admin}`];
    await until("readiness", async () => (await fetch(`${this.admin}/readyz`)).ok);
  }
}

/** What the machine's environment says must not change what a test sees. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(SUMUN|OTEL)_/.test(name)));
}
