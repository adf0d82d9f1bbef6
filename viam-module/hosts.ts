// SPDX-License-Identifier: Apache-2.0
// The servers of this module: one for all resources of the same place, for as long as there is one.
import { realpathSync } from "node:fs";
import path from "node:path";
import type { Attributes } from "./attributes.ts";
import type { Log } from "./log.ts";
import { checkBackends, checkRepository, type ServerPlace } from "./server_launch.ts";
import { TritonElsewhere } from "./triton_elsewhere.ts";
import { type ServerSource, TritonHost } from "./triton_host.ts";

type Stoppable = ServerSource & {
  /** Whether it never came to run, and will not. */
  readonly failed: boolean;
  stop(): Promise<void>;
};

interface Entry {
  readonly source: Stoppable;
  users: number;
  leaving: NodeJS.Timeout | undefined;
}

/** The use of a server by one resource. */
export interface HostUse {
  readonly source: ServerSource;
  release(): void;
}

/** A change of configuration is a removal and an addition: the server waits so long for the second. */
const lingerMs = 1500;

export class Hosts {
  readonly #log: Log;
  readonly #entries = new Map<string, Entry>();
  readonly #ending = new Set<Promise<void>>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** The server for these attributes, started when it is the first to want it. */
  use(attributes: Attributes): HostUse {
    const { key, make } = this.#placeOf(attributes);
    const entry = this.#entries.get(key) ?? { source: make(), users: 0, leaving: undefined };
    this.#entries.set(key, entry);
    clearTimeout(entry.leaving);
    entry.users++;
    // A start that failed is no server to wait for: who comes next starts anew.
    entry.source.running().catch(() => this.#forget(key, entry));
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      if (--entry.users > 0) return;
      entry.leaving = setTimeout(() => this.#end(key, entry), lingerMs);
    };
    return { source: entry.source, release };
  }

  #placeOf({ serverUrl, modelRepositoryPath, backendDirectory, startTimeoutMs }: Attributes): {
    key: string;
    make: () => Stoppable;
  } {
    if (serverUrl !== undefined) {
      const make = () => new TritonElsewhere(serverUrl, startTimeoutMs, this.#log.of(`triton ${serverUrl}`));
      return { key: `url ${serverUrl}`, make };
    }
    const repository = path.resolve(modelRepositoryPath!);
    checkRepository(repository);
    const backends = backendDirectory === undefined ? undefined : path.resolve(backendDirectory);
    checkBackends(backends);
    const place: ServerPlace = { repository: realpathSync(repository), backendDirectory: backends };
    const make = () => new TritonHost(place, startTimeoutMs, this.#log.of("triton"));
    return { key: JSON.stringify([place.repository, place.backendDirectory]), make };
  }

  #forget(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry && entry.source.failed) this.#end(key, entry);
  }

  #end(key: string, entry: Entry): void {
    clearTimeout(entry.leaving);
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    const ending = entry.source.stop().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  /** Stops all servers, those too that resources still use. */
  async stop(): Promise<void> {
    for (const [key, entry] of [...this.#entries]) this.#end(key, entry);
    await Promise.all(this.#ending);
  }
}
