// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test, vi } from "vitest";
import { TritonError } from "../api/errors.ts";
import type { InferenceRequest } from "../api/request.ts";
import { InferenceResponse } from "../api/response.ts";
import { Tensor } from "../api/tensor.ts";
import { takeLog } from "./testing/logged.ts";
import { ModelLoop } from "./testing/model_loop.ts";

const logged = takeLog();

function run(execute: (requests: InferenceRequest[]) => unknown, count = 1) {
  const loop = new ModelLoop(execute);
  const begin = vi.spyOn(loop.connection, "begin");
  const settle = vi.spyOn(loop.connection, "settle");
  const { responses } = loop.host.execute(Array.from({ length: count }, () => ({})));
  /** One response for each request, once all have theirs. */
  const answers = () => {
    if (responses.some(({ length }) => length === 0)) return undefined;
    return responses.map(([only, ...more]) => {
      expect(more).toEqual([]);
      return only!;
    });
  };
  return { loop, gaveUp: loop.gaveUp, answers, begin, settle };
}
const all = (requests: readonly unknown[]) => requests.map(() => new InferenceResponse());
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

test("a result is answered at once", () => {
  const { answers, begin, settle } = run(all, 3);
  expect(answers()?.map(({ error, final }) => [error, final])).toEqual(new Array(3).fill([undefined, true]));
  expect(begin).toHaveBeenCalledTimes(1);
  expect(settle).toHaveBeenCalledTimes(1);
});

test("a model that writes into its inputs is warned once", () => {
  const { host, native } = new ModelLoop(all);
  host.execute([{}]);
  expect(logged()).toBe("");
  native.noteWrite();
  host.execute([{}]);
  host.execute([{}]);
  expect(logged()).toMatch(/^#WThe model writes into an input that lies in a client's shared memory\. [^#]*$/);
});

test("a promise is answered when it settles", async () => {
  let settle = (_result: unknown) => {};
  const { answers } = run(
    () =>
      new Promise((resolve) => {
        settle = resolve;
      }),
  );
  await settled();
  expect(answers()).toBeUndefined();
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
    expect(logged()).toMatch(/^#EExpected an array in the execute return of model 'm_0'[^#]*\n$/);
  });

  test.each([
    ["that the model has not", "IN", "nope", "The model asked for input 'nope', which is not in its configuration."],
    ["of another datatype", "IN", "IN", "Input 'IN' has datatype FP32, but the model asked for INT64."],
  ])("an input %s is the model's mistake, at its place", (_what, given, asked, text) => {
    const loop = new ModelLoop((requests) => requests.map((request) => request.input(asked, "INT64")));
    const inputs = [new Tensor(given, new Float32Array(1), [1])];
    expect(loop.host.execute([{ inputs }]).responses[0]).toMatchObject([
      { error: { code: "INTERNAL", message: expect.stringContaining(text) } },
    ]);
    expect(logged()).toMatch(/^#ETritonError: .*\n(?:#E +at .*\n)*#E +at .*execute_loop\.test\.ts/);
  });

  test("an input that the client did not send is the client's", () => {
    const loop = new ModelLoop((requests) => requests.map((request) => request.input("IN")));
    expect(loop.host.execute([{}]).responses[0]).toMatchObject([{ error: { code: "INVALID_ARG" } }]);
    expect(logged()).not.toContain("#E");
  });

  test("each request of a batch with a fault of its own has its line", () => {
    const { answers } = run(() => [5, new InferenceResponse(), new TritonError("fine", "NOT_FOUND")], 3);
    expect(answers()?.map(({ error }) => error?.code)).toEqual(["INTERNAL", undefined, "NOT_FOUND"]);
    expect(logged()).toMatch(/^#EExpected an 'InferenceResponse' object[^#]*\n$/);
  });
});

test("a thenable that calls back more than once is answered once", async () => {
  const { answers, gaveUp } = run(() => ({
    // biome-ignore lint/suspicious/noThenProperty: what is tested
    then(resolve: (result: unknown) => void, reject: (error: unknown) => void) {
      resolve(all([1]));
      resolve(all([1]));
      reject(new Error("changed my mind"));
    },
  }));
  await settled();
  expect(answers()).toMatchObject([{ error: undefined }]);
  expect(gaveUp).toEqual([]);
});

test("a thenable that calls back while its answer is read is answered once", async () => {
  const first = new InferenceResponse();
  const { loop, gaveUp, answers, settle } = run(() => ({
    // biome-ignore lint/suspicious/noThenProperty: the point of the test
    then(resolve: (result: unknown) => void) {
      let reads = 0;
      Object.defineProperty(first, "outputs", {
        get() {
          if (reads++ === 0) resolve([new TritonError("from inside", "NOT_FOUND")]);
          return [];
        },
      });
      resolve([first]);
    },
  }));
  await settled();
  expect(answers()?.[0]?.error).toMatchObject({ message: "from inside" });
  expect(settle).toHaveBeenCalledTimes(1);
  expect(gaveUp).toEqual([]);
  expect(loop.host.execute([{}]).responses).toHaveLength(1);
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
  const { host, native, gaveUp } = new ModelLoop(execute);
  const failure = new Error("no memory");
  vi.spyOn(native, "allocate").mockImplementation(() => {
    throw failure;
  });
  host.execute([{}]);
  await settled();
  expect(gaveUp).toEqual([failure]);
});

describe("batches that come while the model is busy", () => {
  /** Sends four batches of one request. */
  function send(execute: (requests: InferenceRequest[]) => unknown, concurrency: number) {
    const { connection, host, gaveUp } = new ModelLoop(execute, { concurrency });
    const settle = vi.spyOn(connection, "settle");
    const onEntry = vi.spyOn(host, "onEntry");
    const batches = [0, 1, 2, 3].map(() => host.execute([{}]));
    /** The batches as they were answered; their generations begin with 1. */
    const order = () => onEntry.mock.calls.map(([{ generation }]) => generation - 1);
    return { settle, batches, order, gaveUp };
  }

  test.each([1, 2])("at most %d are executed at once, in their order", async (concurrency) => {
    const waiting: (() => void)[] = [];
    let running = 0;
    let most = 0;
    const { settle, batches, order, gaveUp } = send(async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => waiting.push(resolve));
      running--;
      return [new InferenceResponse()];
    }, concurrency);
    while (order().length < batches.length) {
      waiting.shift()?.();
      await settled();
    }
    expect(most).toBe(concurrency);
    // Between two batches that follow each other when there is one at a time; else when none is left.
    expect(settle).toHaveBeenCalledTimes(concurrency === 1 ? batches.length : 1);
    expect(order()).toEqual([0, 1, 2, 3]);
    expect(gaveUp).toEqual([]);
  });

  test("those of one sequence are executed one after the other, others meanwhile", async () => {
    const running = new Map<unknown, () => void>();
    const began: string[] = [];
    const { host, gaveUp } = new ModelLoop(
      async (requests) => {
        const { id, correlationId } = requests[0]!;
        began.push(id);
        await new Promise<void>((resolve) => running.set(correlationId, resolve));
        return requests.map(() => new InferenceResponse());
      },
      { concurrency: 3, ordersSequences: true },
    );
    const arrive = (id: string, correlationId: number) => host.execute([{ id, correlationId }]);
    const finish = async (correlationId: number) => {
      running.get(correlationId)!();
      await settled();
    };
    for (const id of ["a1", "a2", "a3", "b1", "c1", "b2", "d1"]) arrive(id, id.charCodeAt(0));
    expect(began).toEqual(["a1", "b1", "c1"]);
    await finish("c".charCodeAt(0));
    expect(began.slice(3)).toEqual(["d1"]);
    await finish("a".charCodeAt(0));
    await finish("b".charCodeAt(0));
    expect(began.slice(4)).toEqual(["a2", "b2"]);
    await finish("a".charCodeAt(0));
    expect(began.slice(6)).toEqual(["a3"]);
    expect(gaveUp).toEqual([]);
  });

  test("those that share any sequence wait, also behind one that waits", async () => {
    const began: number[] = [];
    const resolves: (() => void)[] = [];
    const { host } = new ModelLoop(
      async (requests) => {
        began.push(requests.length);
        await new Promise<void>((resolve) => resolves.push(resolve));
        return requests.map(() => new InferenceResponse());
      },
      { concurrency: 4, ordersSequences: true },
    );
    const arrive = (...ids: number[]) => host.execute(ids.map((correlationId) => ({ correlationId })));
    arrive(1);
    arrive(1, 2); // waits for 1
    arrive(2, 3, 4); // must not overtake 2
    expect(began).toEqual([1]);
    for (const count of [2, 3]) {
      resolves.shift()!();
      await settled();
      expect(began.at(-1)).toBe(count);
    }
  });

  test("go on after one that fails", async () => {
    let calls = 0;
    const { batches, order, gaveUp } = send(() => {
      if (++calls === 1) return Promise.reject(new Error("broken"));
      if (calls === 2) throw new Error("broken");
      return [new InferenceResponse()];
    }, 1);
    await settled();
    expect(order()).toEqual([0, 1, 2, 3]);
    expect(batches.map(({ responses }) => responses[0]![0]!.error === undefined)).toEqual([false, false, true, true]);
    expect(gaveUp).toEqual([]);
  });
});

describe("cancelled requests", () => {
  const CANCELLED = { code: "CANCELLED", message: "The request was cancelled before the model got it." };

  test("that come so never reach the model", () => {
    const got: string[][] = [];
    const { host } = new ModelLoop((requests) => {
      got.push(requests.map(({ id }) => id));
      return all(requests);
    });
    const some = host.execute([{ id: "a", cancelled: true }, { id: "b" }, { id: "c", cancelled: true }]);
    expect(got).toEqual([["b"]]);
    expect(some.responses.map(([only]) => only!.error)).toEqual([CANCELLED, undefined, CANCELLED]);
    const none = host.execute([{ cancelled: true }]);
    expect(got).toHaveLength(1);
    expect(none.responses[0]![0]!.error).toEqual(CANCELLED);
  });

  test("that wait are answered at once, and the batches behind them are executed", async () => {
    const finish: (() => void)[] = [];
    const got: string[][] = [];
    const { host, connection, gaveUp } = new ModelLoop(
      async (requests) => {
        got.push(requests.map(({ id }) => id));
        await new Promise<void>((resolve) => finish.push(resolve));
        return all(requests.slice());
      },
      { concurrency: 1 },
    );
    const batches = [["a"], ["b"], ["c", "d"], ["e"]].map((ids) => host.execute(ids.map((id) => ({ id }))));
    batches[1]!.cancel(0);
    batches[2]!.cancel(1);
    expect(batches[1]!.responses[0]![0]!.error).toEqual(CANCELLED);
    expect(batches[2]!.responses.map((responses) => responses.length)).toEqual([0, 1]);
    for (let i = 0; i < 3; i++) {
      finish[i]!();
      await settled();
    }
    expect(got).toEqual([["a"], ["c"], ["e"]]);
    expect(batches[2]!.responses[0]![0]!.error).toBeUndefined();
    expect(connection.openBatches).toBe(0);
    expect(gaveUp).toEqual([]);
  });

  test("that the model has are the model's to answer", async () => {
    const { host, gaveUp } = new ModelLoop(async ([request]) => {
      while (!request!.isCancelled) await settled();
      return [new InferenceResponse()];
    });
    const sent = host.execute([{}]);
    sent.cancel(0);
    await sent.done;
    expect(sent.responses[0]![0]!.error).toBeUndefined();
    expect(gaveUp).toEqual([]);
  });

  test.each([
    ["all of a batch, without a word in the log", [0, 1], ["CANCELLED", "CANCELLED"], /^$/],
    [
      "one of a batch; the other gets the error, which is logged",
      [0],
      ["CANCELLED", "INTERNAL"],
      /^#EAbortError: aborted/,
    ],
  ])("whose signal ends execute are answered so: %s", async (_name, cancelled, codes, log) => {
    const { host } = new ModelLoop(async (requests) => {
      await new Promise((_resolve, reject) => {
        const { signal } = requests[0]!;
        signal.addEventListener("abort", () => reject(Object.assign(new Error("aborted"), { name: "AbortError" })));
      });
    });
    const sent = host.execute([{}, {}]);
    for (const item of [...cancelled].reverse()) sent.cancel(item);
    await sent.done;
    expect(sent.responses.map(([only]) => only!.error!.code)).toEqual(codes);
    expect(logged()).toMatch(log);
  });
});

test("clients' memory stays as the model wrote it while a request with such an input is open", async () => {
  const kept: InferenceRequest[] = [];
  const { host, native, connection } = new ModelLoop(
    (requests) => {
      kept.push(...requests);
    },
    { decoupled: true },
  );
  const restore = vi.spyOn(native, "restore");
  const busy = new Uint32Array(native.busy);
  const place = { region: native.lend(new Uint8Array(64)), offset: 0, bytes: 4 };
  const sent = host.execute([{ inputs: [{ tensor: new Tensor("IN", new Float32Array(1), [1]), place }] }, {}]);
  native.noteWrite();
  host.execute([{}]);
  expect(busy[0]).toBe(2);
  await kept[1]!.responseSender().close();
  expect(restore).not.toHaveBeenCalled();
  await kept[0]!.responseSender().close();
  await sent.done;
  expect(restore).toHaveBeenCalled();
  await kept[2]!.responseSender().close();
  expect([busy[0], connection.openBatches]).toEqual([0, 0]);
});
