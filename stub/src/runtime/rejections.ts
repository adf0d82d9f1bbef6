// SPDX-License-Identifier: Apache-2.0
import { AsyncLocalStorage } from "node:async_hooks";
import { log } from "./logging.ts";
import { describeError } from "./thrown.ts";

/** How long after a rejection is looked for what it has left behind: what ran into it is over by then. */
const SETTLE_MS = 20;
/** A model whose promises are rejected all the time is stopped for it no more often. */
const SEARCH_EVERY_MS = 1000;

/**
 * Promises of the model that were rejected and that nobody handled. Whoever was about to answer a request may have ended with
 * one, and its client waits: what is lost is looked for at once.
 */
export class Rejections {
  readonly #findLost: () => void;
  /** Calls outside of the model's asynchronous contexts: one of them may be what holds the request that is looked for. */
  readonly #outside = AsyncLocalStorage.snapshot();
  #timer: NodeJS.Timeout | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;

  /** @param findLost looks for senders that the model has lost */
  constructor(findLost: () => void) {
    this.#findLost = findLost;
  }

  note(reason: unknown): void {
    log("E", `A promise of the model was rejected and nobody handled it. ${describeError(reason)}`);
    if (this.#timer !== undefined) return;
    const wait = Math.max(SETTLE_MS, this.#lastMs + SEARCH_EVERY_MS - performance.now());
    this.#timer = this.#outside(() => setTimeout(() => this.#search(), wait));
    // It is no reason for the process to go on.
    this.#timer.unref();
  }

  #search(): void {
    this.#timer = undefined;
    this.#lastMs = performance.now();
    this.#findLost();
  }
}
