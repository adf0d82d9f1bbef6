// SPDX-License-Identifier: Apache-2.0
// A server that the module started: running for as long as resources use it, and started again when it ends by itself.
import type { GrpcClient } from "../client/index.ts";
import { messageOf } from "../server/error.ts";
import { ModuleError } from "./errors.ts";
import { LoadedModels, type ModelUse } from "./loaded_models.ts";
import type { Log } from "./log.ts";
import { MemoryPool } from "./memory_pool.ts";
import { type LaunchedServer, launchServer, type ServerPlace } from "./server_launch.ts";
import { orGivenUp, pause } from "./waiting.ts";

/** A server as it runs now. One that is started again is another one. */
export interface RunningServer {
  readonly client: GrpcClient;
  readonly memory: MemoryPool;
  readonly version: string;
  readonly pid: number | undefined;
}

/** Whom resources ask for a server, be it ours or not. */
export interface ServerSource {
  /** The server; waits for one that is being started. */
  running(signal?: AbortSignal): Promise<RunningServer>;
  use(model: string, version: number | undefined): Promise<ModelUse>;
  /** Says that a call has found no server: one that has just ended is waited for. */
  lost(server: RunningServer): Promise<void>;
  readonly description: string;
  /** How often the server was started again. */
  readonly restarts: number;
}

/** A server that ends sooner than this after it was ready is not started again at once. */
const soundMs = 10_000;
const firstPauseMs = 1000;
const longestPauseMs = 30_000;
const stopMs = 2500;
/** The kernel tells of an end a moment after the connection did. */
const noticeMs = 500;

export class TritonHost implements ServerSource {
  readonly place: ServerPlace;
  readonly #log: Log;
  readonly #timeoutMs: number;
  readonly #models: LoadedModels;
  readonly #stopping = new AbortController();
  #server: LaunchedServer | undefined;
  #running: Promise<RunningServer>;
  #current: RunningServer | undefined;
  #restarts = 0;
  #failed = false;

  constructor(place: ServerPlace, timeoutMs: number, log: Log) {
    this.place = place;
    this.#log = log;
    this.#timeoutMs = timeoutMs;
    this.#models = new LoadedModels(() => this.#now().client, log);
    this.#running = this.#begin();
    this.#running.catch(() => {
      this.#failed = true;
    });
  }

  get failed(): boolean {
    return this.#failed;
  }

  get description(): string {
    return `the Triton for ${this.place.repository}`;
  }

  get restarts(): number {
    return this.#restarts;
  }

  running(signal?: AbortSignal): Promise<RunningServer> {
    return orGivenUp(this.#running, signal);
  }

  async use(model: string, version: number | undefined): Promise<ModelUse> {
    await this.#running;
    return this.#models.use(model, version);
  }

  async lost(server: RunningServer): Promise<void> {
    const { process } = this.#server ?? {};
    if (this.#current !== server || process === undefined) return;
    await Promise.race([process.ended, pause(noticeMs, this.#stopping.signal)]).catch(() => undefined);
    // What follows the end of the process stands in the same turn or the next.
    await new Promise((resolve) => setImmediate(resolve));
  }

  #now(): RunningServer {
    if (this.#current !== undefined) return this.#current;
    throw new ModuleError("UNAVAILABLE", `At the moment ${this.description} is being started.`);
  }

  async #begin(): Promise<RunningServer> {
    if (this.#stopping.signal.aborted) throw new ModuleError("CANCELLED", `${this.description} is being stopped.`);
    const server = await launchServer(this.place, this.#timeoutMs, this.#log, this.#stopping.signal);
    this.#server = server;
    const memory = new MemoryPool(server.client, this.#log);
    const { version } = await server.client.serverMetadata();
    const current: RunningServer = { client: server.client, memory, version, pid: server.process.pid };
    this.#current = current;
    this.#log.info(`Triton ${version} runs for ${this.place.repository} (process ${server.process.pid}).`);
    this.#follow(server, current, Date.now());
    return current;
  }

  #follow({ process, client }: LaunchedServer, running: RunningServer, since: number): void {
    void process.ended.then((end) => {
      this.#current = undefined;
      client.close();
      void running.memory.close({ serverGoesOn: false });
      if (this.#stopping.signal.aborted) return;
      this.#log.error(`The Triton server ended by itself (${end.signal ?? `code ${end.code}`}). It is started again.`);
      this.#running = this.#again(Date.now() - since < soundMs ? firstPauseMs : 0);
      this.#running.catch(() => undefined);
    });
  }

  /** Starts the server again, until that succeeds or nobody wants it any more. */
  async #again(firstPause: number): Promise<RunningServer> {
    for (let wait = firstPause; ; wait = Math.min(longestPauseMs, Math.max(firstPauseMs, wait * 2))) {
      await pause(wait, this.#stopping.signal);
      try {
        const running = await this.#begin();
        this.#restarts++;
        await this.#models.reload(running.client);
        return running;
      } catch (error) {
        if (this.#stopping.signal.aborted) throw error;
        this.#log.error(`The Triton server could not be started again: ${messageOf(error)}`);
      }
    }
  }

  /** Stops the server, in order as far as that takes no longer than a robot waits. */
  async stop(): Promise<void> {
    this.#stopping.abort(new ModuleError("CANCELLED", `${this.description} is being stopped.`));
    await this.#running.catch(() => undefined);
    const server = this.#server;
    if (server === undefined) return;
    server.client.close();
    await server.process.stop(stopMs).catch(() => undefined);
  }
}
