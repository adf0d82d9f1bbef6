// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import { TritonError } from "../api/errors.ts";
import type { ModelConfig } from "../api/model_config.ts";
import type { InferenceRequest } from "../api/request.ts";
import { InferenceResponse } from "../api/response.ts";
import { Tensor } from "../api/tensor.ts";
import type { TritonModel } from "../api/triton_model.ts";
import { AnswerMaker } from "./answers.ts";
import { ExecuteLoop } from "./execute_loop.ts";
import { FakeConnection, fakeBatch } from "./testing/fake_batch.ts";

let write: MockInstance<typeof process.stdout.write>;
beforeEach(() => {
  write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
});
afterEach(() => write.mockRestore());
/** What was logged; the mark of a line is shown as `#`. */
const logged = () =>
  write.mock.calls
    .map(([text]) => String(text))
    .join("")
    .replaceAll("\x1e", "#");

function run(execute: (requests: InferenceRequest[]) => unknown, count = 1) {
  const connection = new FakeConnection();
  const gaveUp: unknown[] = [];
  const answers = new AnswerMaker("m_0", {} as ModelConfig, []);
  const loop = new ExecuteLoop({ execute } as TritonModel, connection, answers, (error) => gaveUp.push(error));
  const batch = fakeBatch(Array.from({ length: count }, () => ({ wants: [], requestedOutputs: [] })));
  loop.run(batch);
  return { connection, gaveUp, batch, answers: () => connection.answered[0]?.answers };
}
const all = (requests: readonly unknown[]) => requests.map(() => new InferenceResponse());
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

test("a result is answered at once", () => {
  const { connection, batch } = run(all, 3);
  expect(connection.answered).toHaveLength(1);
  expect(connection.answered[0]).toMatchObject({ batch });
  expect(connection.answered[0]!.answers.map(({ error }) => error)).toEqual([undefined, undefined, undefined]);
  expect(connection).toMatchObject({ begun: 1, settled: 1 });
});

test("a model that writes into its inputs is warned once", () => {
  const connection = new FakeConnection();
  const answers = new AnswerMaker("m_0", {} as ModelConfig, []);
  const loop = new ExecuteLoop({ execute: all } as TritonModel, connection, answers, () => {});
  const run = () => loop.run(fakeBatch([{ wants: [], requestedOutputs: [] }]));
  run();
  expect(logged()).toBe("");
  connection.writes = true;
  run();
  run();
  expect(logged()).toMatch(/^#WThe model writes into an input that lies in a client's shared memory\. [^#]*$/);
});

test("a promise is answered when it settles", async () => {
  let settle = (_result: unknown) => {};
  const { connection, answers } = run(
    () =>
      new Promise((resolve) => {
        settle = resolve;
      }),
  );
  await settled();
  expect(connection.answered).toEqual([]);
  settle([new InferenceResponse()]);
  await settled();
  expect(answers()).toMatchObject([{ error: undefined }]);
});

describe("failures answer every request of the batch", () => {
  const text = "Failed to process the request(s) for model 'm_0', message: Error: broken";
  const broken = () => {
    throw new Error("broken");
  };
  test.each([
    ["execute throws", broken],
    ["execute rejects", () => Promise.reject(new Error("broken"))],
    // biome-ignore lint/suspicious/noThenProperty: what is tested
    ["then cannot be read", () => Object.defineProperty({}, "then", { get: broken })],
    // biome-ignore lint/suspicious/noThenProperty: what is tested
    ["then throws", () => ({ then: broken })],
  ])("%s", async (_what, execute) => {
    const { answers, gaveUp } = run(execute, 2);
    await settled();
    expect(answers()).toMatchObject([{ error: { code: "INTERNAL", message: text } }, { error: { message: text } }]);
    expect(gaveUp).toEqual([]);
    expect(logged()).toMatch(/^#EError: broken\n#E +at /);
  });

  test("a TritonError is the model's own word: its code stays, and the log has it when verbose", () => {
    const { answers } = run(() => {
      throw new TritonError("later", "UNAVAILABLE");
    });
    expect(answers()).toMatchObject([{ error: { code: "UNAVAILABLE", message: "later" } }]);
    expect(logged()).toMatch(/^#VTritonError: later/);
  });

  test.each([
    ["new Tensor", () => new Tensor("OUT", new Float32Array(3), [2, 2]), "The shape [2, 2] of tensor 'OUT' has"],
    ["new InferenceResponse", () => new InferenceResponse([null as never]), "Output 0 of an InferenceResponse must be"],
  ])("a mistake with %s is the model's, not the client's, and the log has its stack", (_what, execute, text) => {
    const { answers } = run(execute);
    expect(answers()).toMatchObject([{ error: { code: "INTERNAL", message: expect.stringContaining(text) } }]);
    expect(logged()).toContain(`#ETritonError: ${text}`);
    expect(logged()).toMatch(/#E +at .*execute_loop\.test\.ts/);
  });

  test("a result that is none", () => {
    expect(run(() => undefined, 2).answers()).toMatchObject([
      { error: { code: "INTERNAL" } },
      { error: { code: "INTERNAL" } },
    ]);
  });
});

test("a thenable that calls back more than once is answered once", async () => {
  const { connection, gaveUp } = run(() => ({
    // biome-ignore lint/suspicious/noThenProperty: what is tested
    then(resolve: (result: unknown) => void, reject: (error: unknown) => void) {
      resolve(all([1]));
      resolve(all([1]));
      reject(new Error("changed my mind"));
    },
  }));
  await settled();
  expect(connection.answered).toHaveLength(1);
  expect(gaveUp).toEqual([]);
});

test("a model that empties the array of its requests", () => {
  const { answers } = run((requests) => {
    const results = [];
    while (requests.length > 0) results.push(requests.pop());
    return all(results);
  }, 3);
  expect(answers()).toHaveLength(3);
});

test.each([
  ["answers", all],
  ["an error", () => Promise.reject(new Error("broken"))],
])("the process gives up when %s cannot be sent", async (_what, execute) => {
  const connection = new FakeConnection();
  connection.failure = new Error("no memory");
  const gaveUp: unknown[] = [];
  const maker = new AnswerMaker("m_0", {} as ModelConfig, []);
  const loop = new ExecuteLoop({ execute } as unknown as TritonModel, connection, maker, (error) => gaveUp.push(error));
  loop.run(fakeBatch([{ wants: [] }]));
  await settled();
  expect(gaveUp).toEqual([connection.failure]);
});

describe("batches that come while the model is busy", () => {
  function loopOf(execute: TritonModel["execute"], concurrency: number) {
    const connection = new FakeConnection();
    const answers = new AnswerMaker("m_0", {} as ModelConfig, []);
    const fail = (error: unknown) => {
      throw error;
    };
    const loop = new ExecuteLoop({ execute }, connection, answers, fail, concurrency);
    const batches = [0, 1, 2, 3].map(() => fakeBatch([{ wants: [], requestedOutputs: [] }]));
    return { loop, connection, batches };
  }
  const order = (connection: FakeConnection, batches: readonly unknown[]) =>
    connection.answered.map(({ batch }) => batches.indexOf(batch));

  test.each([1, 2])("at most %d are executed at once, in their order", async (concurrency) => {
    const waiting: (() => void)[] = [];
    let running = 0;
    let most = 0;
    const { loop, connection, batches } = loopOf(async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => waiting.push(resolve));
      running--;
      return [new InferenceResponse()];
    }, concurrency);
    for (const batch of batches) loop.run(batch);
    while (connection.answered.length < batches.length) {
      waiting.shift()?.();
      await settled();
    }
    expect(most).toBe(concurrency);
    // Between two batches that follow each other when there is one at a time; else when none is left.
    expect(connection.settled).toBe(concurrency === 1 ? batches.length : 1);
    expect(order(connection, batches)).toEqual([0, 1, 2, 3]);
  });

  test("go on after one that fails", async () => {
    let calls = 0;
    const { loop, connection, batches } = loopOf(() => {
      if (++calls === 1) return Promise.reject(new Error("broken"));
      if (calls === 2) throw new Error("broken");
      return [new InferenceResponse()];
    }, 1);
    for (const batch of batches) loop.run(batch);
    await settled();
    expect(order(connection, batches)).toEqual([0, 1, 2, 3]);
    expect(connection.answered.map(({ answers }) => answers[0]!.error === undefined)).toEqual([
      false,
      false,
      true,
      true,
    ]);
  });
});
