// SPDX-License-Identifier: Apache-2.0
// A Triton that others run. Its models are theirs: one that is not there is asked for, and none is unloaded.
import { isIP } from "node:net";
import { GrpcClient } from "../client/index.ts";
import { ModuleError, moduleError } from "./errors.ts";
import { type ModelUse, unknownModel } from "./loaded_models.ts";
import type { Log } from "./log.ts";
import { MemoryPool } from "./memory_pool.ts";
import type { RunningServer, ServerSource } from "./triton_host.ts";
import { orGivenUp, pause } from "./waiting.ts";

const askMs = 500;

const isThisMachine = (address: string): boolean => {
  const host = address.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
};

export class TritonElsewhere implements ServerSource {
  readonly #client: GrpcClient;
  readonly #memory: MemoryPool;
  readonly #address: string;
  readonly #timeoutMs: number;
  readonly #log: Log;
  readonly #closing = new AbortController();
  #running: Promise<RunningServer> | undefined;
  readonly restarts = 0;
  readonly failed = false;

  constructor(address: string, timeoutMs: number, log: Log) {
    this.#address = address;
    this.#timeoutMs = timeoutMs;
    this.#log = log;
    this.#client = new GrpcClient({ url: address });
    this.#memory = new MemoryPool(this.#client, log, { sharesMemory: isThisMachine(address) });
  }

  get description(): string {
    return `the Triton at ${this.#address}`;
  }

  running(signal?: AbortSignal): Promise<RunningServer> {
    this.#running ??= this.#ask().catch((error: unknown) => {
      this.#running = undefined;
      throw error;
    });
    return orGivenUp(this.#running, signal);
  }

  async #ask(): Promise<RunningServer> {
    const { version } = await this.#client.serverMetadata({ deadlineMs: this.#timeoutMs });
    return { client: this.#client, memory: this.#memory, version, pid: undefined };
  }

  async lost(): Promise<void> {}

  /** Waits until the model is ready there, and asks for it once if it is not. */
  async use(model: string, version: number | undefined): Promise<ModelUse> {
    const deadline = Date.now() + this.#timeoutMs;
    const which = version === undefined ? {} : { modelVersion: version };
    let reason: string | undefined;
    while (!(await this.#client.isModelReady(model, which))) {
      reason ??= await this.#load(model);
      if (Date.now() > deadline) {
        const what = `${JSON.stringify(model)}${version === undefined ? "" : ` version ${version}`}`;
        throw new ModuleError("UNAVAILABLE", `The model ${what} is not ready at ${this.#address}: ${reason}.`);
      }
      await pause(askMs, this.#closing.signal);
    }
    this.#log.debug(`The model ${model} is ready at ${this.#address}.`);
    return { release: async () => undefined };
  }

  /** Asks for the model, and gives why it may not be ready then. @throws ModuleError NOT_FOUND when nobody has it */
  async #load(model: string): Promise<string> {
    try {
      await this.#client.loadModel(model);
      return "it was loaded, but is not ready";
    } catch (error) {
      const unknown = await unknownModel(this.#client, model);
      if (unknown !== undefined) throw unknown;
      return moduleError(error).message;
    }
  }

  async stop(): Promise<void> {
    this.#closing.abort(new ModuleError("CANCELLED", "The resource is being removed."));
    await this.#memory.close({ serverGoesOn: true });
    this.#client.close();
  }
}
