// SPDX-License-Identifier: Apache-2.0
// Waiting that can be given up.
import { setTimeout as sleep } from "node:timers/promises";
import { ModuleError } from "./errors.ts";

/** Why a signal was aborted, as an error for the caller. */
function givenUp(signal: AbortSignal): ModuleError {
  const reason: unknown = signal.reason;
  if (reason instanceof ModuleError) return reason;
  return new ModuleError("CANCELLED", `The call was given up (${reason instanceof Error ? reason.message : reason}).`);
}

/** @throws ModuleError when the signal is aborted */
export function throwIfGivenUp(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw givenUp(signal);
}

/** What a promise gives, or the signal's error when that is aborted before. The promise goes on by itself. */
export async function orGivenUp<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  throwIfGivenUp(signal);
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(givenUp(signal));
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop!);
  }
}

/** Waits; rejects at once when the signal is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => throwIfGivenUp(signal));
}

/** One thing after the other, in the order in which they were asked for, whatever becomes of each. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  next<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
