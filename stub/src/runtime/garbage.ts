// SPDX-License-Identifier: Apache-2.0
// What a model has used last stays in memory until something asks for more. An idle process collects it once: V8's own way,
// which the server switches off (backend-shim/src/stub.c), wakes a process every few seconds for ever.

/** Less is not worth stopping the model for. */
const WORTHWHILE_BYTES = 8 << 20;

type Collect = (options?: { type: "minor" }) => void;

let collect: Collect | undefined;
/** What was left after the last time. */
let left = 0;

function held(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/**
 * Collects garbage if there may be much of it, or if somebody waits for what is little. Takes some milliseconds, and more for a
 * model that keeps a lot.
 */
export function collectGarbage(littleToo = false): void {
  if (!littleToo && held() - left < WORTHWHILE_BYTES) return;
  collect ??= makeCollect();
  collect();
  left = held();
}

/** Collects the objects that were made a short while ago. Takes a tenth of a millisecond, and more for a model that keeps many of them. */
export function collectYoung(): void {
  collect ??= makeCollect();
  collect({ type: "minor" });
}

function makeCollect(): Collect {
  // Loaded when they are needed, and at once: the memory that was collected is given back right afterwards.
  const v8 = process.getBuiltinModule("node:v8");
  const vm = process.getBuiltinModule("node:vm");
  v8.setFlagsFromString("--expose-gc");
  const made = vm.runInNewContext("gc") as Collect;
  v8.setFlagsFromString("--no-expose-gc");
  return made;
}
