// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { TritonError } from "../api/errors.ts";
import type { InferenceRequest } from "../api/request.ts";
import { InferenceResponse } from "../api/response.ts";
import { Tensor } from "../api/tensor.ts";
import { takeLog } from "./testing/logged.ts";
import { number, settled } from "./testing/responses.ts";
import { all, start } from "./testing/stream.ts";

const logged = takeLog();

describe("what a stream may be", () => {
  const list = [number(1), number(2)];
  test.each<[string, () => unknown]>([
    [
      "a generator",
      function* () {
        yield* list;
      },
    ],
    [
      "an async generator",
      async function* () {
        yield number(1);
        await settled();
        yield number(2);
      },
    ],
    ["an array", () => list],
    ["a promise of an array", async () => list],
    ["a set", () => new Set(list)],
    ["promises", () => list.map(async (response) => response)],
    ["an iterator that yields promises", () => list.values().map((response) => Promise.resolve(response))],
    [
      "an async iterable without return()",
      () => {
        const left = [...list];
        const next = async () => ({ done: left.length === 0, value: left.shift() });
        return { [Symbol.asyncIterator]: () => ({ next }) };
      },
    ],
    [
      "a readable stream of the platform",
      () =>
        new ReadableStream({
          start(controller) {
            for (const response of list) controller.enqueue(response);
            controller.close();
          },
        }),
    ],
  ])("%s", async (_what, stream) => {
    expect(await all(stream)).toEqual(["1", "2", "end"]);
    expect(logged()).toBe("");
  });

  test("none at all", async () => {
    expect(await all(() => [])).toEqual(["end"]);
  });

  test("a yielded TritonError is an error after which more follow", async () => {
    expect(await all(() => [number(1), new TritonError("odd", "INVALID_ARG"), number(2)])).toEqual([
      "1",
      "INVALID_ARG odd",
      "2",
      "end",
    ]);
  });
});

describe("errors", () => {
  test("a thrown TritonError is the last response, with its code", async () => {
    const responses = await all(function* () {
      yield number(1);
      throw new TritonError("enough", "UNAVAILABLE");
    });
    expect(responses).toEqual(["1", "UNAVAILABLE enough!"]);
    expect(logged()).toMatch(/^#VTritonError: enough/);
  });

  test.each<[string, (request: InferenceRequest) => unknown]>([
    [
      "in stream itself",
      () => {
        throw new Error("broken");
      },
    ],
    ["as the promise of a stream", () => Promise.reject(new Error("broken"))],
    [
      "in the generator",
      // biome-ignore lint/correctness/useYield: what is tested
      function* () {
        throw new Error("broken");
      },
    ],
    [
      "in the async generator",
      // biome-ignore lint/correctness/useYield: what is tested
      async function* () {
        await settled();
        throw new Error("broken");
      },
    ],
    [
      "in finally",
      // biome-ignore lint/correctness/useYield: what is tested
      function* () {
        try {
          return;
        } finally {
          // biome-ignore lint/correctness/noUnsafeFinally: what is tested
          throw new Error("broken");
        }
      },
    ],
  ])("what is thrown %s is INTERNAL, with its stack in the log", async (_where, stream) => {
    expect(await all(stream)).toEqual([
      "INTERNAL Failed to process the request(s) for model 'm_0', message: Error: broken!",
    ]);
    expect(logged()).toMatch(/^#EError: broken\n#E +at /);
  });

  test.each([
    [undefined, "undefined"],
    [5, "number"],
    ["text", "string"],
    [{}, "Object"],
    [Promise.resolve(7), "number"],
  ])("a stream that is no iterable: %j", async (result, type) => {
    expect(await all(() => result)).toEqual([
      expect.stringMatching(
        new RegExp(`^INTERNAL The stream of model 'm_0' must be a generator or .* returned type '${type}'.*!$`),
      ),
    ]);
  });

  test.each([
    [undefined, "undefined"],
    [[number(1)], "Array"],
    [new Tensor("OUT", Int32Array.of(1), [1]), "Tensor"],
    [Object.create(InferenceResponse.prototype), "InferenceResponse", " It was not made by new InferenceResponse()."],
  ])("a yield of something else ends the stream, and its finally runs", async (wrong, type, more = "") => {
    let ran = false;
    const responses = await all(function* () {
      try {
        yield number(1);
        yield wrong;
        yield number(2);
      } finally {
        ran = true;
      }
    });
    expect(responses).toEqual([
      "1",
      `INTERNAL Expected the stream of model 'm_0' to yield an InferenceResponse or a TritonError, but it yielded type '${type}'.${more}!`,
    ]);
    expect(ran).toBe(true);
  });

  test("finally that throws after a wrong yield is logged, and the client has the first error", async () => {
    const responses = await all(async function* () {
      try {
        yield "wrong";
      } finally {
        // biome-ignore lint/correctness/noUnsafeFinally: what is tested
        throw new Error("in finally");
      }
    });
    expect(responses).toEqual([expect.stringContaining("it yielded type 'string'")]);
    expect(logged()).toContain("#EError: in finally");
  });

  test("a response that is returned and not yielded", async () => {
    // biome-ignore lint/correctness/useYield: what is tested
    const responses = await all(function* () {
      return number(1);
    });
    expect(responses).toEqual(["INTERNAL The stream of model 'm_0' returned a response. It must yield it.!"]);
  });

  test.each([
    [undefined, "undefined"],
    [5, "number"],
    [{}, "Object"],
    [{ next: 5 }, "Object"],
    [number(1), "InferenceResponse"],
  ])("an iterator without next(): %j", async (iterator, type) => {
    for (const name of [Symbol.iterator, Symbol.asyncIterator]) {
      const responses = await all(() => ({ [name]: () => iterator }));
      expect(responses).toEqual([
        `INTERNAL The stream of model 'm_0' must give an iterator with a method next(), but gave type '${type}'.!`,
      ]);
    }
  });

  test("an iterator that gives no result", async () => {
    const responses = await all(() => ({ [Symbol.iterator]: () => ({ next: () => 5 }) }));
    expect(responses).toEqual(["INTERNAL The iterator of a stream of model 'm_0' gave type 'number'.!"]);
  });

  test("what a yielded response does not fit is an error for the client, and the stream goes on", async () => {
    const wrong = () => number(1);
    const responses = await all(function* (request) {
      const response = wrong();
      (response.outputs as Tensor[])[0] = new Tensor("OUT", new Float32Array(1), [1]);
      yield response;
      yield number(request.flags);
    });
    expect(responses).toEqual([expect.stringContaining("INTERNAL Output 'OUT'"), "0", "end"]);
  });
});

describe("default mode", () => {
  test("one response, and the model is free when the stream has ended", async () => {
    let go = () => {};
    const { sent, first } = start(async function* () {
      yield number(1);
      await new Promise<void>((resolve) => {
        go = resolve;
      });
    }, {});
    await settled();
    expect([first(), sent.isSettled]).toEqual([[], false]);
    go();
    await sent.done;
    expect(first()).toEqual(["1!"]);
  });

  test("an error is the one response", async () => {
    expect(await all(() => [new TritonError("no", "NOT_FOUND")], {})).toEqual(["NOT_FOUND no!"]);
  });

  test("none", async () => {
    expect(await all(() => [], {})).toEqual([
      "INTERNAL The stream of model 'm_0' ended without a response, but a model in default mode gives exactly one.!",
    ]);
  });

  test("a second one ends the stream", async () => {
    let ran = false;
    const responses = await all(function* () {
      try {
        yield number(1);
        yield number(2);
        yield number(3);
      } finally {
        ran = true;
      }
    }, {});
    expect(responses).toEqual([
      expect.stringMatching(/^INTERNAL The stream of model 'm_0' yielded a second response, .* decoupled: true /),
    ]);
    expect(ran).toBe(true);
  });

  test("the sender may send it", async () => {
    const responses = await all((request) => {
      void request.responseSender().send(number(1));
      return [];
    }, {});
    expect(responses).toEqual(["1!"]);
  });

  test("not both", async () => {
    const responses = await all((request) => {
      void request.responseSender().send(number(1));
      return [number(2)];
    }, {});
    expect(responses).toEqual(["1!"]);
    expect(logged()).toContain(
      "#ETritonError: The stream of model 'm_0' yielded a response, but its sender has sent one.",
    );
  });

  test("nor after the sender was closed", async () => {
    const responses = await all((request) => {
      void request.responseSender().close();
      return [number(2)];
    });
    expect(responses).toEqual(["end"]);
    expect(logged()).toContain("Response sender has been closed");
  });
});
