// SPDX-License-Identifier: Apache-2.0
// What goes on around the requests: processes are killed, models are loaded anew.
import { appendFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { GrpcClient } from "../../client/index.ts";
import { type TestServer, until } from "../e2e/harness/index.ts";
import { MODELS } from "./models.ts";

const PAUSE_MS = 1500;
const any = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!;

export class Disturbances {
  kills = 0;
  reloads = 0;
  readonly #server: TestServer;
  readonly #client: GrpcClient;
  /** Times between which a process was missing; the last one may go on. */
  readonly #missing: { from: number; to: number }[] = [];

  constructor(server: TestServer, client: GrpcClient) {
    this.#server = server;
    this.#client = client;
  }

  /** Whether a process was missing at some time since then. */
  excuses(since: number): boolean {
    return this.#missing.some(({ to }) => to >= since);
  }

  /** One after the other, until `end`. */
  async run(end: number): Promise<void> {
    while (Date.now() < end) {
      await sleep(PAUSE_MS * (0.5 + Math.random()));
      if (Math.random() < 0.5) await this.#kill();
      else await this.#reload();
    }
  }

  async #kill(): Promise<void> {
    const restarted = () => this.#server.logLines("was restarted.").length;
    const before = restarted();
    const missing = { from: Date.now(), to: Number.POSITIVE_INFINITY };
    this.#missing.push(missing);
    process.kill(any(this.#server.stubs()), "SIGKILL");
    this.kills++;
    await until(() => restarted() > before, "the killed process to be restarted", 60_000, this.#server);
    missing.to = Date.now();
  }

  async #reload(): Promise<void> {
    const { name } = any(MODELS);
    appendFileSync(path.join(this.#server.repository, name, "1", "model.ts"), `// revision ${this.reloads}\n`);
    await this.#client.loadModel(name);
    this.reloads++;
  }
}
