// SPDX-License-Identifier: Apache-2.0
// The resources of a robot that this module has, by name. What is asked of one is done in turn.
import type { Attributes, LogLevel } from "./attributes.ts";
import { ModuleError, moduleError } from "./errors.ts";
import type { Hosts } from "./hosts.ts";
import type { Log } from "./log.ts";
import { tensorsText } from "./metadata.ts";
import { ModelResource } from "./model_resource.ts";
import { Turns } from "./waiting.ts";

/** A resource as its configuration describes it. */
export interface ResourceConfig {
  readonly name: string;
  readonly attributes: Attributes;
  /** That of the robot's own settings for the resource. */
  readonly logLevel: LogLevel | undefined;
}

interface Slot {
  readonly turns: Turns;
  resource: ModelResource | undefined;
  /** Gives up what is under way when the resource is removed. */
  readonly removal: AbortController;
}

/** A resource that is replaced or removed finishes the calls that it has, for so long. */
const drainMs = 5000;

export class Resources {
  readonly #hosts: Hosts;
  readonly #log: Log;
  readonly #slots = new Map<string, Slot>();
  #closing = false;

  constructor(hosts: Hosts, log: Log) {
    this.#hosts = hosts;
    this.#log = log;
  }

  /**
   * Adds a resource, or replaces the one of its name: that answers until the new one is ready, and stays if it fails.
   *
   * @throws an error that says why the model cannot be had
   */
  async put({ name, attributes, logLevel }: ResourceConfig, signal: AbortSignal): Promise<void> {
    if (this.#closing) throw new ModuleError("UNAVAILABLE", "The module is being stopped.");
    const slot = this.#slots.get(name) ?? {
      turns: new Turns(),
      resource: undefined,
      removal: new AbortController(),
    };
    this.#slots.set(name, slot);
    await slot.turns.next(async () => {
      // The one that is replaced keeps its own.
      const log = this.#log.of(name, () => attributes.logLevel ?? logLevel);
      const ends = AbortSignal.any([signal, slot.removal.signal]);
      const before = slot.resource;
      try {
        slot.resource = await ModelResource.open(attributes, this.#hosts, log, ends);
      } catch (error) {
        const failure = moduleError(error);
        log.debug(`The model ${attributes.modelName} cannot be had: ${failure.message}`);
        const stays = before === undefined ? "" : " The model that it had before goes on.";
        if (before === undefined && this.#slots.get(name) === slot) this.#slots.delete(name);
        throw new ModuleError(failure.status, `${failure.message}${stays}`, { cause: error });
      }
      const { contract, metadata } = slot.resource;
      log.info(`The model ${contract.model}, version ${contract.version}, is ready. ${tensorsText(metadata)}`);
      // Later: the answer tells the robot that the new one is there.
      void before?.close(drainMs).catch((error: unknown) => log.warning(moduleError(error).message));
    });
  }

  /** @throws ModuleError NOT_FOUND */
  get(name: string): ModelResource {
    const resource = this.#slots.get(name)?.resource;
    if (resource !== undefined) return resource;
    const names = [...this.#slots.keys()].map((known) => JSON.stringify(known)).join(", ");
    const known = names === "" ? "It has none yet." : `It has ${names}.`;
    throw new ModuleError("NOT_FOUND", `This module has no resource ${JSON.stringify(name)}. ${known}`);
  }

  /** Removes a resource; one that is just being added, too. Nothing happens when there is none of that name. */
  async remove(name: string): Promise<void> {
    const slot = this.#slots.get(name);
    if (slot === undefined) return;
    this.#slots.delete(name);
    slot.removal.abort(new ModuleError("CANCELLED", `The resource ${JSON.stringify(name)} is being removed.`));
    await slot.turns.next(async () => {
      await slot.resource?.close(drainMs);
      slot.resource = undefined;
    });
  }

  async removeAll(): Promise<void> {
    this.#closing = true;
    await Promise.allSettled([...this.#slots.keys()].map((name) => this.remove(name)));
  }
}
