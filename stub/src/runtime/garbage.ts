// SPDX-License-Identifier: Apache-2.0
// What a model has used last stays in memory until something asks for more. An idle process collects it once: V8's own way,
// which the server switches off (backend-shim/src/stub.c), wakes a process every few seconds for ever.

/** Less is not worth stopping the model for. */
const WORTHWHILE_BYTES = 8 << 20;

let collect: (() => void) | undefined;
/** What was left after the last time. */
let left = 0;

function held(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Collects garbage if there may be much of it. Takes some milliseconds, and more for a model that keeps a lot. */
export async function collectGarbage(): Promise<void> {
  if (held() - left < WORTHWHILE_BYTES) return;
  if (collect === undefined) {
    const [v8, vm] = await Promise.all([import("node:v8"), import("node:vm")]);
    v8.setFlagsFromString("--expose-gc");
    collect = vm.runInNewContext("gc") as () => void;
    v8.setFlagsFromString("--no-expose-gc");
  }
  collect();
  left = held();
}
