// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, expect, type MockInstance, test, vi } from "vitest";
import { Rejections } from "./rejections.ts";

let write: MockInstance<typeof process.stdout.write>;
beforeEach(() => {
  vi.useFakeTimers();
  write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
});
afterEach(() => {
  vi.useRealTimers();
  write.mockRestore();
});

test("a rejection is logged, and what it left behind is looked for soon after", () => {
  const findLost = vi.fn();
  new Rejections(findLost).note(new Error("nobody waits for me"));
  expect(String(write.mock.calls[0]![0])).toMatch(/was rejected and nobody handled it\. Error: nobody waits for me/);
  expect(findLost).not.toHaveBeenCalled();
  vi.runAllTimers();
  expect(findLost).toHaveBeenCalledTimes(1);
});

test("a model whose promises are rejected all the time is not stopped for it all the time", () => {
  const findLost = vi.fn();
  const rejections = new Rejections(findLost);
  for (let ms = 0; ms < 5000; ms += 10) {
    rejections.note("again");
    vi.advanceTimersByTime(10);
  }
  expect(findLost.mock.calls.length).toBeGreaterThanOrEqual(4);
  expect(findLost.mock.calls.length).toBeLessThanOrEqual(6);
  // The last one is looked for, too.
  const before = findLost.mock.calls.length;
  rejections.note("the last");
  vi.runAllTimers();
  expect(findLost).toHaveBeenCalledTimes(before + 1);
});
