// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import type { InferenceRequest } from "../api/request.ts";
import { ModelLoop } from "./testing/model_loop.ts";
import { number, settled, shown } from "./testing/responses.ts";

let write: MockInstance<typeof process.stdout.write>;
beforeEach(() => {
  write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
});
afterEach(() => write.mockRestore());

const iterative = { iterative: true };

async function run(execute: (requests: InferenceRequest[]) => unknown, options: object, count = 1) {
  const loop = new ModelLoop(execute, options);
  const sent = loop.host.execute(new Array(count).fill({}));
  await settled();
  expect(loop.gaveUp).toEqual([]);
  expect(loop.connection.openBatches).toBe(0);
  return { rescheduled: [...sent.rescheduled], responses: sent.responses.map(shown) };
}

describe("default mode", () => {
  test("null in the place of a rescheduled request, beside one that is answered", async () => {
    const seen = await run(
      (requests) => {
        requests[0]!.reschedule();
        return [null, number(1)];
      },
      iterative,
      2,
    );
    expect(seen).toEqual({ rescheduled: [0], responses: [[], ["1!"]] });
  });

  test("all of them, and nothing returned", async () => {
    const seen = await run(
      (requests) => {
        for (const request of requests) request.reschedule();
      },
      iterative,
      2,
    );
    expect(seen.rescheduled).toEqual([0, 1]);
  });

  test("a response beside it is an error for the client", async () => {
    const seen = await run(([request]) => {
      request!.reschedule();
      return [number(1)];
    }, iterative);
    expect(seen.rescheduled).toEqual([]);
    expect(seen.responses[0]).toEqual([
      expect.stringContaining(
        "INTERNAL Expected a None object in the execute function return list for reschduled request",
      ),
    ]);
  });

  test("a response that was sent", async () => {
    const seen = await run(([request]) => {
      void request!.responseSender().send(number(1));
      expect(() => request!.reschedule()).toThrow("A request was rescheduled after it was answered.");
      return [null];
    }, iterative);
    expect(seen).toEqual({ rescheduled: [], responses: [["1!"]] });
  });

  test("a response that is sent afterwards", async () => {
    const seen = await run(async ([request]) => {
      request!.reschedule();
      await expect(request!.responseSender().send(number(1))).rejects.toThrow("The request was rescheduled");
      return [null];
    }, iterative);
    expect(seen).toEqual({ rescheduled: [0], responses: [[]] });
  });

  test("what is thrown afterwards fails the request", async () => {
    const seen = await run(([request]) => {
      request!.reschedule();
      throw new Error("broken");
    }, iterative);
    expect(seen.rescheduled).toEqual([]);
    expect(seen.responses[0]).toEqual([expect.stringContaining("broken!")]);
  });
});

describe("decoupled", () => {
  const options = { iterative: true, decoupled: true };

  test.each([false, true])("responses go between the rounds (execute is async: %s)", async (isAsync) => {
    const body = ([request]: InferenceRequest[]) => {
      void request!.responseSender().send(number(1));
      request!.reschedule();
    };
    const seen = await run(isAsync ? async (requests) => body(requests) : body, options);
    expect(seen).toEqual({ rescheduled: [0], responses: [["1"]] });
  });

  test("its sender cannot be closed in this round", async () => {
    const refusals: unknown[] = [];
    const seen = await run(([request]) => {
      request!.reschedule();
      const sender = request!.responseSender();
      for (const late of [sender.close(), sender.send(number(1), { final: true })]) {
        late.catch((error: Error) => refusals.push(error.message));
      }
    }, options);
    expect(seen).toEqual({ rescheduled: [0], responses: [[]] });
    expect(refusals).toEqual([
      expect.stringContaining("The request was rescheduled"),
      expect.stringContaining("The request was rescheduled"),
    ]);
  });

  test("when execute has ended long ago", async () => {
    let kept: InferenceRequest | undefined;
    const loop = new ModelLoop(([request]) => {
      kept = request!;
    }, options);
    const sent = loop.host.execute([{}]);
    await settled();
    kept!.reschedule();
    await settled();
    expect([...sent.rescheduled]).toEqual([0]);
    expect(() => kept!.reschedule()).toThrow("after it was answered");
  });
});

describe("a stream", () => {
  test.each([true, false])("is rescheduled when it has ended (decoupled: %s)", async (decoupled) => {
    const model = {
      *stream(request: InferenceRequest) {
        if (decoupled) yield number(1);
        request.reschedule();
      },
    };
    const loop = new ModelLoop(model, { iterative: true, decoupled });
    const sent = loop.host.execute([{}]);
    await settled();
    expect([...sent.rescheduled]).toEqual([0]);
    expect(shown(sent.responses[0]!)).toEqual(decoupled ? ["1"] : []);
  });

  test("in default mode a response beside it is an error", async () => {
    const model = {
      *stream(request: InferenceRequest) {
        request.reschedule();
        yield number(1);
      },
    };
    const loop = new ModelLoop(model, iterative);
    const sent = loop.host.execute([{}]);
    await sent.done;
    expect(shown(sent.responses[0]!)).toEqual([expect.stringContaining("for reschduled request")]);
  });
});

test("other models are told that they are not configured for it", async () => {
  const seen = await run(([request]) => {
    request!.reschedule();
    return [null];
  }, {});
  expect(seen.rescheduled).toEqual([]);
  expect(seen.responses[0]).toEqual([
    expect.stringMatching(/^INTERNAL request\.reschedule\(\) is for models with .* iterative_sequence: true .*!$/),
  ]);
});
