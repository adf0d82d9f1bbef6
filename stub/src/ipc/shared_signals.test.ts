// SPDX-License-Identifier: Apache-2.0
import { expect, test, vi } from "vitest";
import { SharedSignals } from "./shared_signals.ts";

test("a signal has one listener while it is followed, and none afterwards", () => {
  const { signal } = new AbortController();
  const add = vi.spyOn(signal, "addEventListener");
  const remove = vi.spyOn(signal, "removeEventListener");
  const signals = new SharedSignals();
  const followers = [{ cancel: vi.fn() }, { cancel: vi.fn() }];
  for (const follower of followers) signals.add(signal, follower);
  signals.delete(signal, followers[0]!);
  signals.delete(signal, followers[0]!);
  expect([add.mock.calls.length, remove.mock.calls.length]).toEqual([1, 0]);
  signals.delete(signal, followers[1]!);
  expect(remove).toHaveBeenCalledTimes(1);
});

test("those who follow it are cancelled, though some leave meanwhile", () => {
  const abort = new AbortController();
  const signals = new SharedSignals();
  const last = { cancel: vi.fn() };
  const first = { cancel: () => signals.delete(abort.signal, last) };
  signals.add(abort.signal, first);
  signals.add(abort.signal, last);
  abort.abort();
  expect(last.cancel).not.toHaveBeenCalled();
});
