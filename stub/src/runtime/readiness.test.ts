// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test, vi } from "vitest";
import type { TritonModel } from "../api/triton_model.ts";
import { Readiness } from "./readiness.ts";

/** A model that says what it is given, to a process that waits for `limitMs`. */
function readinessOf(isReady: unknown, limitMs?: number): Readiness {
  return new Readiness({ execute: () => [], isReady } as TritonModel, limitMs);
}

test("a model without isReady is not asked", () => {
  expect(readinessOf(undefined).isAsked).toBe(false);
  expect(readinessOf(() => true).isAsked).toBe(true);
});

describe("a model is", () => {
  test.each([
    ["ready", () => true, true],
    ["not ready", () => false, false],
    ["ready, later", async () => true, true],
    ["not ready, later", () => new Promise((resolve) => setTimeout(resolve, 5, false)), false],
  ])("%s, as it says", async (_, isReady, ready) => {
    expect(await readinessOf(isReady).check()).toEqual({ ready, reason: "" });
  });

  test.each([
    [() => undefined, "undefined"],
    [() => null, "null"],
    [() => 1, "a number"],
    [() => ({}), "an object"],
    [async () => "true", "a string"],
  ])("not ready when it gives no boolean (%#)", async (isReady, kind) => {
    const reason = `The model's isReady must give true or false, but gave ${kind}.`;
    expect(await readinessOf(isReady).check()).toEqual({ ready: false, reason });
  });

  test.each([
    ["in a promise", () => Promise.reject(new Error("no database"))],
    [
      "as it is called",
      () => {
        throw new Error("no database");
      },
    ],
  ])("not ready when it fails %s, and the log has the stack", async (_, isReady) => {
    const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    const found = await readinessOf(isReady).check();
    const lines = write.mock.calls.map(([text]) => String(text)).join("");
    write.mockRestore();
    expect(found).toEqual({ ready: false, reason: "The model's isReady failed: Error: no database" });
    expect(lines).toMatch(/Error: no database[\s\S]*readiness\.test\.ts/);
  });

  test.each(["x", "ä", "a€", "😀"])(
    "not ready, and the server can keep the reason whole, when it fails with a long text (%s)",
    async (part) => {
      const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
      const { reason } = await readinessOf(() => Promise.reject(new Error(part.repeat(10_000)))).check();
      write.mockRestore();
      const [, shown] = /^The model's isReady failed: Error: (.*)\.\.\.$/.exec(reason)!;
      expect(part.repeat(10_000).startsWith(shown!)).toBe(true);
      expect(shown!.length).toBeGreaterThan(200);
      expect(Buffer.byteLength(reason)).toBeLessThan(512);
    },
  );

  test("not ready when it takes too long, and a failure that comes later is nobody's", async () => {
    let fail: (error: Error) => void = () => {};
    const readiness = readinessOf(() => new Promise((_, reject) => (fail = reject)), 20);
    const reason = "The model's isReady did not answer within 0.02 seconds.";
    expect(await readiness.check()).toEqual({ ready: false, reason });
    fail(new Error("too late"));
    // An unhandled rejection would fail the run.
    await new Promise((resolve) => setTimeout(resolve, 5));
  });

  test("asked anew after one that took too long", async () => {
    let calls = 0;
    const readiness = readinessOf(() => (++calls === 1 ? new Promise(() => {}) : true), 20);
    expect((await readiness.check()).ready).toBe(false);
    expect((await readiness.check()).ready).toBe(true);
  });
});

test("isReady is a method of its model", async () => {
  class Model implements TritonModel {
    readonly connected = true;
    execute() {
      return [];
    }
    isReady() {
      return this.connected;
    }
  }
  expect(await new Readiness(new Model()).check()).toEqual({ ready: true, reason: "" });
});
