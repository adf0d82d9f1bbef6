// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from "node:timers/promises";
import type { ModelFile, ModelServer } from "../api/model_server.ts";
import type * as L from "../protocol/layout.gen.ts";
import type { Place } from "./record.ts";
import type { SharedMemory } from "./shared_memory.ts";
import type { ShimCalls } from "./shim_calls.ts";

/** Where a file of a model lies, by the keys of the contract. */
type FilePlace = { readonly [K in (typeof L.METHODS.modelLoad.part)[number]]: unknown };

/** What takes long shall not take all places of calls: others of the model are short. */
const MAX_LONG_CALLS = 16;

/** How long to wait before the server is asked again whether a model is gone, in milliseconds: the first time, and at most. */
const FIRST_PAUSE = 5;
const LONGEST_PAUSE = 200;

/** What a model asks of the server about models. */
export class ModelControl implements ModelServer {
  readonly calls: ShimCalls;
  readonly #memory: Pick<SharedMemory, "allocate" | "region">;
  readonly #free: (block: Place) => void;
  #longCalls = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(calls: ShimCalls, memory: Pick<SharedMemory, "allocate" | "region">, free: (block: Place) => void) {
    this.calls = calls;
    this.#memory = memory;
    this.#free = free;
  }

  async isReady(name: string, version: string): Promise<boolean> {
    return (await this.calls.call("modelReady", { name, version })).ready === true;
  }

  async load(name: string, config: string | undefined, files: readonly ModelFile[]): Promise<void> {
    const blocks: Place[] = [];
    try {
      const places = files.map((file) => this.#write(file, blocks));
      await this.#inTurn(() => this.calls.call("modelLoad", { name, config, files: places }));
    } finally {
      for (const block of blocks) this.#free(block);
    }
  }

  async unload(name: string, dependents: boolean, wait: boolean): Promise<void> {
    await this.#inTurn(() => this.calls.call("modelUnload", { name, dependents, wait }));
    if (!wait) return;
    for (let pause = FIRST_PAUSE; !(await this.#isGone(name)); pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      await sleep(pause);
    }
  }

  async #isGone(name: string): Promise<boolean> {
    return (await this.#inTurn(() => this.calls.call("modelGone", { name }))).gone === true;
  }

  /** Puts a file where the server can read it. */
  #write({ path, data }: ModelFile, blocks: Place[]): FilePlace {
    if (data.byteLength === 0) return { path, region: 0, offset: 0, bytes: 0 };
    const block = this.#memory.allocate(data.byteLength, `The file '${path}' of a model`, "load smaller files");
    blocks.push(block);
    this.#memory.region(block.region).u8.set(data, block.offset);
    return { path, region: block.region, offset: block.offset, bytes: block.bytes };
  }

  async #inTurn<T>(call: () => Promise<T>): Promise<T> {
    if (this.#longCalls === MAX_LONG_CALLS) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#longCalls++;
    try {
      return await call();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#longCalls--;
      else next();
    }
  }
}
