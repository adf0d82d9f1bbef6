// SPDX-License-Identifier: Apache-2.0
// Streams whose client has gone.
import { describe, expect, test, vi } from "vitest";
import { TritonError } from "../api/errors.ts";
import type { InferenceRequest } from "../api/request.ts";
import { takeLog } from "./testing/logged.ts";
import { number, settled, shown } from "./testing/responses.ts";
import { decoupled, start } from "./testing/stream.ts";

const logged = takeLog();

describe("cancel", () => {
  /** A stream that notes its end. */
  function noted(body: (request: InferenceRequest) => AsyncGenerator | Generator) {
    const notes: string[] = [];
    async function* outer(request: InferenceRequest) {
      try {
        yield* body(request);
        notes.push("ended");
      } finally {
        notes.push("finally");
      }
    }
    return { stream: outer, notes };
  }

  test("a stream that waits for its signal", async () => {
    const { stream, notes } = noted(async function* (request) {
      yield number(1);
      await new Promise((_resolve, reject) => {
        request.signal.addEventListener("abort", () => reject(request.signal.reason));
      });
    });
    const { sent, first } = start(stream);
    await settled();
    sent.cancel(0);
    await sent.done;
    expect(notes).toEqual(["finally"]);
    expect(first()).toEqual(["1", "CANCELLED The request was cancelled.!"]);
    expect(logged()).toBe("");
  });

  test.each<[string, Error]>([
    ["AbortError", Object.assign(new Error("aborted"), { name: "AbortError" })],
    ["TritonError", new TritonError("mine", "CANCELLED")],
  ])("an %s that it leads to is not logged", async (_what, error) => {
    const { sent, first } = start(async function* (request) {
      yield number(1);
      await new Promise((_resolve, reject) => request.signal.addEventListener("abort", () => reject(error)));
    });
    await settled();
    sent.cancel(0);
    await sent.done;
    expect(first()).toEqual(["1", "CANCELLED The request was cancelled.!"]);
    expect(logged()).toBe("");
  });

  test("a stream that never ends by itself", async () => {
    const { stream, notes } = noted(function* () {
      for (let i = 0; ; i++) yield number(i);
    });
    const { sent, first } = start(stream);
    await settled();
    sent.cancel(0);
    await sent.done;
    expect(notes).toEqual(["finally"]);
    expect(first().length).toBeGreaterThan(1);
    expect(first().at(-1)).toBe("CANCELLED The request was cancelled.!");
  });

  test("a synchronous one that never ends", async () => {
    let ran = false;
    const { sent, first } = start(function* () {
      try {
        for (let i = 0; ; i++) yield number(i);
      } finally {
        ran = true;
      }
    });
    await settled();
    sent.cancel(0);
    await sent.done;
    expect([ran, first().at(-1)]).toEqual([true, "CANCELLED The request was cancelled.!"]);
  });

  test("while the server does not read", async () => {
    const { loop, sent } = start(function* () {
      for (let i = 0; ; i++) yield number(i);
    });
    loop.native.pause(true);
    await settled(20);
    sent.cancel(0);
    await settled();
    loop.native.pause(false);
    await sent.done;
    expect(loop.gaveUp).toEqual([]);
  });

  test("before the iterator is there: it is never asked for a response", async () => {
    let go = (_iterable: unknown) => {};
    const next = vi.fn();
    const returned = vi.fn(() => ({ done: true, value: undefined }));
    const { sent, first } = start(
      () =>
        new Promise((resolve) => {
          go = resolve;
        }),
    );
    sent.cancel(0);
    go({ [Symbol.iterator]: () => ({ next, return: returned }) });
    await sent.done;
    expect([next.mock.calls.length, returned.mock.calls.length]).toEqual([0, 1]);
    expect(first()).toEqual(["CANCELLED The request was cancelled.!"]);
  });

  test("an iterator without return() is left", async () => {
    const next = vi.fn(() => new Promise(() => {}));
    const { sent, first } = start(() => ({ [Symbol.asyncIterator]: () => ({ next }) }));
    await settled();
    sent.cancel(0);
    await sent.done;
    expect(next).toHaveBeenCalledTimes(1);
    expect(first()).toEqual(["CANCELLED The request was cancelled.!"]);
  });

  test("finally that throws is logged", async () => {
    const { sent, first } = start(async function* () {
      try {
        for (;;) {
          yield number(1);
          await settled();
        }
      } finally {
        // biome-ignore lint/correctness/noUnsafeFinally: what is tested
        throw new Error("in finally");
      }
    });
    await settled();
    sent.cancel(0);
    await sent.done;
    expect(first().at(-1)).toContain("message: Error: in finally!");
    expect(logged()).toMatch(/#EError: in finally\n/);
  });

  test("after the end it does nothing", async () => {
    const { loop, sent } = start(() => [number(1)]);
    await sent.done;
    sent.cancel(0);
    sent.cancel(7);
    await settled();
    expect(loop.gaveUp).toEqual([]);
  });

  test("one request of a batch, and the others go on", async () => {
    const { sent } = start(
      async function* ({ id }) {
        for (let i = 0; i < (id === "b" ? 1000 : 3); i++) {
          yield number(i);
          await settled(2);
        }
      },
      decoupled,
      [{ id: "a" }, { id: "b" }],
    );
    sent.cancel(1);
    await sent.done;
    expect(sent.responses.map((responses) => shown(responses).at(-1))).toEqual([
      "end",
      "CANCELLED The request was cancelled.!",
    ]);
    expect(shown(sent.responses[0]!)).toEqual(["0", "1", "2", "end"]);
  });
});
