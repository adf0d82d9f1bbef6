// SPDX-License-Identifier: Apache-2.0

/** Whether something is to be waited for. Throws what a getter of the model throws. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}

/** Runs code of the model, and takes what it returns, now or when its promise is settled, or else what it throws. */
export function whenDone(run: () => unknown, take: (value: unknown) => void, fail: (error: unknown) => void): void {
  try {
    const result = run();
    if (isThenable(result)) result.then(take, fail);
    else take(result);
  } catch (error) {
    fail(error);
  }
}
