// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import { TritonError } from "../api/errors.ts";
import type { InferenceRequest } from "../api/request.ts";
import { InferenceResponse } from "../api/response.ts";
import { Tensor } from "../api/tensor.ts";
import type { HostRequest } from "../ipc/memory_host.ts";
import { ModelLoop, type ModelLoopOptions } from "./testing/model_loop.ts";
import { number, settled, shown } from "./testing/responses.ts";

let write: MockInstance<typeof process.stdout.write>;
beforeEach(() => {
  write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
});
afterEach(() => write.mockRestore());
const MORE_THAN_THE_RING_TAKES = 2000;
/** What was logged; the mark of a line is shown as `#`. */
const logged = () =>
  write.mock.calls
    .map(([text]) => String(text))
    .join("")
    .replaceAll("\x1e", "#");

const decoupled = { decoupled: true };

function start(
  stream: (request: InferenceRequest) => unknown,
  options: ModelLoopOptions = decoupled,
  requests: readonly HostRequest[] = [{}],
) {
  const loop = new ModelLoop({ stream }, options);
  const sent = loop.host.execute(requests);
  return { loop, sent, first: () => shown(sent.responses[0]!) };
}

/** The responses to one request, once there are no more. */
async function all(stream: (request: InferenceRequest) => unknown, options?: ModelLoopOptions): Promise<unknown[]> {
  const { loop, sent, first } = start(stream, options);
  await sent.done;
  await settled();
  expect(loop.gaveUp).toEqual([]);
  return first();
}

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

describe("side by side", () => {
  test("streams of one batch, each at its own pace; the model is free at once", async () => {
    const { sent } = start(
      async function* ({ id }) {
        for (let i = 0; i < 3; i++) {
          await settled(id === "slow" ? 20 : 1);
          yield number(i);
        }
      },
      decoupled,
      [{ id: "slow" }, { id: "fast" }],
    );
    await settled();
    expect(sent.isSettled).toBe(true);
    while (sent.responses[1]!.length < 4) await settled();
    expect(sent.responses[0]!.length).toBeLessThan(4);
    await sent.done;
    expect(sent.responses.map(shown)).toEqual([
      ["0", "1", "2", "end"],
      ["0", "1", "2", "end"],
    ]);
  });

  test.each<[string, () => Generator | AsyncGenerator]>([
    [
      "synchronous",
      function* () {
        for (let i = 0; i < 3000; i++) yield number(i);
      },
    ],
    [
      "asynchronous, but never waiting",
      async function* () {
        for (let i = 0; i < 3000; i++) yield number(i);
      },
    ],
  ])("busy ones (%s) leave timers their turn, and none is forgotten", async (_what, stream) => {
    const { sent } = start(stream, decoupled, [{}, {}, {}]);
    let ticks = 0;
    const ticking = setInterval(() => ticks++, 1);
    const counts: number[][] = [];
    while (sent.responses.some((responses) => !responses.at(-1)?.final)) {
      counts.push(sent.responses.map((responses) => responses.length));
      await settled(1);
    }
    clearInterval(ticking);
    expect(ticks).toBeGreaterThan(5);
    expect(sent.responses.map((responses) => responses.length)).toEqual([3001, 3001, 3001]);
    const middle = counts[Math.floor(counts.length / 2)]!;
    for (const count of middle) expect(count).toBeGreaterThan(1);
  });

  test("requests of one sequence one after the other, those of others meanwhile", async () => {
    const began: string[] = [];
    const gates = new Map<string, () => void>();
    const loop = new ModelLoop(
      {
        async *stream({ id }: InferenceRequest) {
          began.push(id);
          await new Promise<void>((resolve) => gates.set(id, resolve));
          yield number(1);
        },
      },
      { decoupled: true, concurrency: 1, ordersSequences: true },
    );
    for (const id of ["a1", "a2", "b1"]) loop.host.execute([{ id, correlationId: id.charCodeAt(0) }]);
    await settled();
    expect(began).toEqual(["a1", "b1"]);
    gates.get("a1")!();
    await settled();
    expect(began).toEqual(["a1", "b1", "a2"]);
  });

  test("one that waits for its sequence is no load for the instance, and is said to be settled once", async () => {
    const gates = new Map<string, () => void>();
    const loop = new ModelLoop(
      {
        async *stream({ id }: InferenceRequest) {
          await new Promise<void>((resolve) => gates.set(id, resolve));
          yield number(1);
        },
      },
      { decoupled: true, concurrency: 1, ordersSequences: true },
    );
    const [first, second, third] = ["a1", "a2", "a3"].map((id) => loop.host.execute([{ id, correlationId: 1 }]));
    await settled();
    expect([first, second, third].map((sent) => sent!.isSettled)).toEqual([true, true, true]);
    third!.cancel(0);
    await third!.done;
    gates.get("a1")!();
    await settled();
    gates.get("a2")!();
    await Promise.all([first!.done, second!.done]);
    await settled();
    expect(third!.responses[0]![0]!.error!.code).toBe("CANCELLED");
    expect(loop.gaveUp).toEqual([]);
    expect([...gates.keys()]).toEqual(["a1", "a2"]);
    expect(new Uint32Array(loop.native.busy)[0]).toBe(0);
  });

  test("one that waits and is cancelled while the server does not read ends behind its being settled", async () => {
    const loop = new ModelLoop(
      {
        async *stream() {
          await new Promise(() => {});
          yield number(1);
        },
      },
      { decoupled: true, concurrency: 1, ordersSequences: true },
    );
    loop.host.execute([{ correlationId: 1 }]);
    loop.native.pause(true);
    const waiting = Array.from({ length: MORE_THAN_THE_RING_TAKES }, () => loop.host.execute([{ correlationId: 1 }]));
    waiting.at(-1)!.cancel(0);
    loop.native.pause(false);
    await waiting.at(-1)!.done;
    await settled();
    expect(waiting.every(({ isSettled }) => isSettled)).toBe(true);
    expect(loop.gaveUp).toEqual([]);
  });
});

test("a stream is pulled no faster than it is read", async () => {
  let pulled = 0;
  const loop = new ModelLoop(
    {
      *stream() {
        for (; pulled < 5000; pulled++) yield number(pulled);
      },
    },
    decoupled,
  );
  loop.native.pause(true);
  const sent = loop.host.execute([{}]);
  while (loop.connection.ready === undefined) await settled();
  const waiting = pulled;
  expect(waiting).toBeLessThan(1000);
  await settled(10);
  expect(pulled).toBe(waiting);
  loop.native.pause(false);
  await sent.done;
  expect(sent.responses[0]).toHaveLength(5001);
  expect(loop.gaveUp).toEqual([]);
  expect([loop.native.outbound.used, loop.native.inbound.used]).toEqual([0, 0]);
});
