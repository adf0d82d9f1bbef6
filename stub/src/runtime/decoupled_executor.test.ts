// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { TritonError } from "../api/errors.ts";
import type { InferenceRequest } from "../api/request.ts";
import { takeLog } from "./testing/logged.ts";
import { ModelLoop } from "./testing/model_loop.ts";
import { number, settled, shown } from "./testing/responses.ts";

const logged = takeLog();

function run(execute: (requests: InferenceRequest[]) => unknown, count = 1, concurrency = 1) {
  const loop = new ModelLoop(execute, { decoupled: true, concurrency });
  const sent = loop.host.execute(Array.from({ length: count }, (_, i) => ({ id: `r${i}` })));
  return { loop, sent, shown: () => sent.responses.map(shown) };
}

test("all requests that are closed when execute returns close their batch by that", async () => {
  const { sent, loop } = run((requests) => {
    for (const request of requests) void request.responseSender().send(number(1), { final: true });
  }, 2);
  await sent.done;
  expect(sent.isSettled).toBe(false);
  expect(loop.gaveUp).toEqual([]);
});

test("the model is free when execute has returned, though its promise is not settled", async () => {
  let calls = 0;
  const { loop, sent } = run(async (requests) => {
    calls++;
    for (const request of requests) {
      await settled();
      await request.responseSender().send(number(calls), { final: true });
    }
  });
  expect(sent.isSettled).toBe(true);
  const second = loop.host.execute([{}]);
  expect(calls).toBe(2);
  await Promise.all([sent.done, second.done]);
});

describe("what is returned", () => {
  test.each<[string, () => unknown]>([
    ["Array", () => [number(1)]],
    ["Array", async () => [null]],
    ["number", () => 0],
  ])("%s is refused, whether at once or later", async (type, result) => {
    const { sent, shown } = run(result, 2);
    await sent.done;
    const text = new RegExp(
      "^INTERNAL Model 'm_0' is using the decoupled mode and the execute function must return None, " +
        `in TypeScript nothing, but it returned type '${type}'\\. Send .*!$`,
    );
    expect(shown()).toEqual([[expect.stringMatching(text)], [expect.stringMatching(text)]]);
    expect(logged()).toMatch(/^#ETritonError: Model 'm_0' is using/);
  });

  test.each([[undefined], [null]])("%s is right", async (nothing) => {
    const { sent, shown } = run((requests) => {
      void requests[0]!.responseSender().close();
      return nothing;
    });
    await sent.done;
    expect(shown()).toEqual([["end"]]);
  });
});

describe("what is thrown fails the requests that are open", () => {
  const half = (requests: InferenceRequest[]) => {
    void requests[0]!.responseSender().send(number(1), { final: true });
    void requests[1]!.responseSender().send(number(2));
  };
  test.each<[string, (requests: InferenceRequest[]) => unknown]>([
    [
      "at once",
      (requests) => {
        half(requests);
        throw new TritonError("broken", "UNAVAILABLE");
      },
    ],
    [
      "by the promise, later",
      async (requests) => {
        half(requests);
        await settled();
        throw new TritonError("broken", "UNAVAILABLE");
      },
    ],
  ])("%s", async (_when, execute) => {
    const { sent, shown, loop } = run(execute, 2);
    await sent.done;
    expect(shown()).toEqual([["1!"], ["2", "UNAVAILABLE broken!"]]);
    expect(loop.gaveUp).toEqual([]);
  });

  test("after all are closed it is logged only", async () => {
    const { sent, shown } = run((requests) => {
      void requests[0]!.responseSender().close();
      throw new Error("too late");
    });
    await sent.done;
    expect(shown()).toEqual([["end"]]);
    expect(logged()).toMatch(/^#EError: too late/);
  });
});

test("memory of a batch is free when its last request is, that of what was sent before", async () => {
  const senders: ReturnType<InferenceRequest["responseSender"]>[] = [];
  const { loop, sent } = run((requests) => {
    senders.push(...requests.map((request) => request.responseSender()));
  }, 2);
  await senders[0]!.send(number(1), { final: true });
  await settled();
  expect(loop.native.outbound.used).toBe(0);
  expect(loop.native.inbound.used).toBeGreaterThan(0);
  expect(loop.connection.openBatches).toBe(1);
  await senders[1]!.close();
  await sent.done;
  expect(loop.native.inbound.used).toBe(0);
  expect(loop.connection.openBatches).toBe(0);
});
