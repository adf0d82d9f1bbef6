// SPDX-License-Identifier: Apache-2.0
// The servers of this module: one for all resources of the same place, for as long as there is one.
import { realpathSync } from "node:fs";
import path from "node:path";
import type { Attributes, LogLevel } from "./attributes.ts";
import { type Log, lowestLevel } from "./log.ts";
import { checkBackends, checkRepository, type ServerPlace } from "./server_launch.ts";
import { TritonElsewhere } from "./triton_elsewhere.ts";
import { type ServerSource, TritonHost } from "./triton_host.ts";

type Stoppable = ServerSource & {
  /** Whether it never came to run, and will not. */
  readonly failed: boolean;
  stop(): Promise<void>;
};

/** An object for each user: two may ask for the same. */
interface AskedLevel {
  readonly level: LogLevel;
}

interface Entry {
  readonly source: Stoppable;
  users: number;
  /** What the log of the server has: the lowest of these, one for each of its users, those that just left included. */
  readonly levels: Set<AskedLevel>;
  leaving: NodeJS.Timeout | undefined;
}

/** Where a server is, or is to be. */
interface Place {
  /** The same for the same place. */
  readonly key: string;
  /** Under which its lines stand in the log. */
  readonly name: string;
  make(log: Log): Stoppable;
}

/** The use of a server by one resource. */
export interface HostUse {
  readonly source: ServerSource;
  release(): void;
}

/**
 * A change of configuration is a removal and an addition: the server waits so long for the second. What a server says of a load
 * that failed arrives a moment after the answer, too.
 */
const lingerMs = 1500;

export class Hosts {
  readonly #log: Log;
  readonly #entries = new Map<string, Entry>();
  readonly #ending = new Set<Promise<void>>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** The server for these attributes, started when it is the first to want it; `level`: what its user wants to know of it. */
  use(attributes: Attributes, level: LogLevel): HostUse {
    const { key, name, make } = this.#placeOf(attributes);
    const asked = { level };
    const entry = this.#entries.get(key) ?? this.#entryOf(name, make, asked);
    this.#entries.set(key, entry);
    clearTimeout(entry.leaving);
    entry.users++;
    entry.levels.add(asked);
    // A start that failed is no server to wait for: who comes next starts anew.
    entry.source.running().catch(() => this.#forget(key, entry));
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      setTimeout(() => entry.levels.delete(asked), lingerMs).unref();
      if (--entry.users > 0) return;
      entry.leaving = setTimeout(() => this.#end(key, entry), lingerMs);
    };
    return { source: entry.source, release };
  }

  #entryOf(name: string, make: Place["make"], first: AskedLevel): Entry {
    const levels = new Set([first]);
    const log = this.#log.of(name, () => lowestLevel([...levels].map(({ level }) => level)));
    return { source: make(log), users: 0, levels, leaving: undefined };
  }

  #placeOf({ serverUrl, modelRepositoryPath, backendDirectory, startTimeoutMs }: Attributes): Place {
    if (serverUrl !== undefined) {
      const make = (log: Log) => new TritonElsewhere(serverUrl, startTimeoutMs, log);
      return { key: `url ${serverUrl}`, name: `triton ${serverUrl}`, make };
    }
    const repository = path.resolve(modelRepositoryPath!);
    checkRepository(repository);
    const backends = backendDirectory === undefined ? undefined : path.resolve(backendDirectory);
    checkBackends(backends);
    const place: ServerPlace = { repository: realpathSync(repository), backendDirectory: backends };
    const make = (log: Log) => new TritonHost(place, startTimeoutMs, log);
    return { key: JSON.stringify([place.repository, place.backendDirectory]), name: "triton", make };
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
