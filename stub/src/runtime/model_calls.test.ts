// SPDX-License-Identifier: Apache-2.0
// What a model's calls of other models have to do with the requests that it executes.
import { afterEach, describe, expect, test } from "vitest";
import { setCaller } from "../api/caller.ts";
import { InferenceRequest } from "../api/request.ts";
import { InferenceResponse } from "../api/response.ts";
import { Tensor } from "../api/tensor.ts";
import type { Trace } from "../api/trace.ts";
import type { HostCall } from "../ipc/memory_calls.ts";
import type { HostRequest } from "../ipc/memory_host.ts";
import { ModelLoop, type ModelLoopOptions } from "./testing/model_loop.ts";

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
const one = () => new InferenceResponse([new Tensor("OUT", Int32Array.of(1), [1])]);
const call = () => new InferenceRequest({ modelName: "other", inputs: [] }).exec();

let held: HostCall[] = [];
afterEach(() => {
  setCaller(undefined);
  held = [];
});

/** A loop whose model may call `other`, which answers when the test has it do so. */
function loopOf(model: ConstructorParameters<typeof ModelLoop>[0], options: ModelLoopOptions = {}): ModelLoop {
  const models = { other: (asked: HostCall) => void held.push(asked) };
  const loop = new ModelLoop(model, { ...options, models });
  setCaller(loop.connection.calls);
  return loop;
}

/** Which request of its batch each call was made for; undefined for none. */
const parents = () => held.map(({ content: { parent } }) => (parent.table === 0 ? undefined : parent.item));

test("a call is made for the one request that is executed, also after something was awaited", async () => {
  const loop = loopOf(async () => {
    await call();
    await call();
    return [one()];
  });
  const batch = loop.host.execute([{}]);
  await turn();
  held[0]!.end();
  await turn();
  held[1]!.end();
  await batch.done;
  expect(parents()).toEqual([0, 0]);
  await expect(
    (async () => {
      const background = call();
      await turn();
      held[2]!.respond({ error: { message: "no", code: "INTERNAL" } });
      await background;
    })(),
  ).rejects.toThrow("no");
  expect(parents()).toEqual([0, 0, undefined]);
});

test("of a batch of several it is not known for which", async () => {
  const loop = loopOf(async (requests) => {
    await call();
    return requests.map(one);
  });
  const batch = loop.host.execute([{}, {}]);
  await turn();
  held[0]!.end();
  await batch.done;
  expect(parents()).toEqual([undefined]);
});

test("streams of one batch make calls of their own, and a client that leaves cancels those of its stream", async () => {
  async function* stream() {
    await call();
    yield one();
  }
  const loop = loopOf({ stream }, { decoupled: true });
  const batch = loop.host.execute([{}, {}]);
  await turn();
  expect(parents()).toEqual([0, 1]);
  batch.cancel(1);
  await turn();
  expect(held.map(({ isCancelled }) => isCancelled)).toEqual([false, true]);
  for (const asked of held) asked.end();
  await batch.done;
});

describe("a call is a part of the trace", () => {
  /** Of which request each call is a part of the trace; undefined for none. */
  const traced = () => held.map(({ content: { trace } }) => (trace.table === 0 ? undefined : trace.item));

  async function ask(model: (requests: InferenceRequest[]) => Promise<unknown>, requests: HostRequest[]) {
    const loop = loopOf(async (given) => {
      await turn();
      void model(given);
      return given.map(one);
    });
    await loop.host.execute(requests).done;
    await turn();
    return traced();
  }
  const callWith = (trace: Trace | null | undefined) =>
    new InferenceRequest({ modelName: "other", inputs: [], trace }).exec();

  test("of the request that it is made for, if that is traced, also the first one after something was awaited", async () => {
    expect(await ask(() => callWith(undefined), [{ trace: "{}" }])).toEqual([0]);
    held = [];
    expect(await ask(() => callWith(undefined), [{}])).toEqual([undefined]);
  });

  test("of none, when the model says so", async () => {
    expect(await ask(() => callWith(null), [{ trace: "{}" }])).toEqual([undefined]);
  });

  test("of the request that the model names, out of several", async () => {
    expect(await ask(([, second]) => callWith(second!.trace), [{ trace: "" }, { trace: "" }])).toEqual([1]);
  });

  test("of none, when that request is answered", async () => {
    const calls = async ([first]: InferenceRequest[]) => {
      const { trace } = first!;
      await turn();
      await callWith(trace);
    };
    expect(await ask(calls, [{ trace: "{}" }])).toEqual([undefined]);
  });
});

test("an error of another model that nobody catches is the client's, with its code", async () => {
  const loop = loopOf(async () => {
    await call();
    return [one()];
  });
  const batch = loop.host.execute([{}]);
  await turn();
  held[0]!.respond({ error: { message: "not today", code: "UNAVAILABLE" } });
  await batch.done;
  expect(batch.responses[0]![0]!.error).toEqual({ message: "not today", code: "UNAVAILABLE" });
});
