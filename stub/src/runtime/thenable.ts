// SPDX-License-Identifier: Apache-2.0

/** Whether something is to be waited for. Throws what a getter of the model throws. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}
