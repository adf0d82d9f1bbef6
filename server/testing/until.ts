// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from "node:timers/promises";

/** Waits until a condition holds. Fails when it does not in time, or when `whyNever` says why it never will. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 60_000,
  whyNever: () => string | undefined = () => undefined,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    const why = whyNever() ?? (Date.now() > deadline ? `${timeoutMs} ms went by` : undefined);
    if (why !== undefined) throw new Error(`Waited for ${what}, but ${why}.`);
    await sleep(20);
  }
}
