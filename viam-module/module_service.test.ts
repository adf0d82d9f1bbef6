// SPDX-License-Identifier: Apache-2.0
import { EventEmitter } from "node:events";
import type { ServerUnaryCall } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { bareName, unary } from "./module_service.ts";

/** A call as far as `unary` sees it, and its signal. */
function callOf(work: () => Promise<string>) {
  const call = new EventEmitter() as unknown as ServerUnaryCall<string, string>;
  let signal: AbortSignal | undefined;
  const answered = new Promise<string | undefined>((resolve) => {
    unary<string, string>((_, gone) => {
      signal = gone;
      return work();
    })(call, (error, reply) => resolve(error === null ? (reply ?? "") : undefined));
  });
  return { call, answered, signal: () => signal! };
}

test.each([
  ["rdk:service:mlmodel/m", "m"],
  ["rdk:service:mlmodel/a/b", "a/b"],
  ["a/b", "a/b"],
  ["m", "m"],
])("the resource %s is called %s", (name, bare) => {
  expect(bareName(name)).toBe(bare);
});

describe("the signal of a call", () => {
  test("is aborted when the caller is gone before the answer", async () => {
    let answer: (reply: string) => void = () => undefined;
    const { call, answered, signal } = callOf(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    await Promise.resolve();
    call.emit("cancelled", "cancelled");
    expect(signal().aborted).toBe(true);
    answer("late");
    await answered;
  });

  test.each(["answer", "error"])("is not aborted when the call ends after its %s", async (end) => {
    const { call, answered, signal } = callOf(() => (end === "answer" ? Promise.resolve(end) : Promise.reject(end)));
    await answered;
    call.emit("cancelled", "cancelled");
    expect(signal().aborted).toBe(false);
  });
});
