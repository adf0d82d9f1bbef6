// SPDX-License-Identifier: Apache-2.0
// When a robot counts as gone. The connection is a fake: nobody can say when a real one is noticed to have ended.
import { Client, connectivityState } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Parent } from "./parent.ts";

let parent: Parent;
let state: connectivityState;
const met = vi.fn();
const gone = vi.fn();

beforeEach(() => {
  vi.useFakeTimers();
  state = connectivityState.CONNECTING;
  vi.spyOn(Client.prototype, "getChannel").mockReturnValue({
    getConnectivityState: () => state,
  } as unknown as ReturnType<Client["getChannel"]>);
  parent = new Parent("unix:/nobody");
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.clearAllMocks();
});

/** The connection is in this state for so many seconds. */
function wait(seconds: number, now: connectivityState): void {
  state = now;
  vi.advanceTimersByTime(seconds * 1000);
}

const { READY, IDLE, CONNECTING, TRANSIENT_FAILURE } = connectivityState;

test("a robot that was there and is away for longer than it may is gone, which is told once", () => {
  parent.watch({ met, gone, goneMs: 3000 });
  wait(5, READY);
  expect(met).toHaveBeenCalledTimes(1);
  wait(2, TRANSIENT_FAILURE);
  expect(gone).not.toHaveBeenCalled();
  wait(10, CONNECTING);
  expect(gone).toHaveBeenCalledTimes(1);
});

test("it may be away for 20 seconds", () => {
  parent.watch({ gone });
  wait(1, READY);
  wait(19, TRANSIENT_FAILURE);
  expect(gone).not.toHaveBeenCalled();
  wait(2, TRANSIENT_FAILURE);
  expect(gone).toHaveBeenCalledTimes(1);
});

test("one that was never there is not gone", () => {
  parent.watch({ met, gone, goneMs: 3000 });
  wait(60, TRANSIENT_FAILURE);
  expect(gone).not.toHaveBeenCalled();
  expect(met).not.toHaveBeenCalled();
});

test("one that comes back in time has all of its time again", () => {
  parent.watch({ met, gone, goneMs: 3000 });
  for (let i = 0; i < 5; i++) {
    wait(1, READY);
    wait(2, TRANSIENT_FAILURE);
  }
  expect(gone).not.toHaveBeenCalled();
  expect(met).toHaveBeenCalledTimes(1);
});

test("a connection that is given up between two tries does not make it there", () => {
  parent.watch({ gone, goneMs: 3000 });
  wait(1, READY);
  for (let i = 0; i < 4; i++) {
    wait(0.5, TRANSIENT_FAILURE);
    wait(0.5, IDLE);
  }
  expect(gone).toHaveBeenCalledTimes(1);
});

test("nothing is told after the watch has ended", () => {
  const end = parent.watch({ gone, goneMs: 3000 });
  wait(1, READY);
  end();
  wait(60, TRANSIENT_FAILURE);
  expect(gone).not.toHaveBeenCalled();
});
