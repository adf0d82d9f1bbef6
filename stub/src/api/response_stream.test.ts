// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type CallListener, setCaller } from "./caller.ts";
import { TritonError } from "./errors.ts";
import { InferenceRequest } from "./request.ts";
import { InferenceResponse, receivedResponse } from "./response.ts";
import { UNREAD_LIMIT } from "./response_stream.ts";
import { Tensor } from "./tensor.ts";

const a = new Tensor("A", Float32Array.of(1), [1]);
const request = new InferenceRequest({ modelName: "m", inputs: [a] });
const memory = { dispose: vi.fn() };
const cancel = vi.fn();
let give: CallListener;
beforeEach(() => {
  vi.clearAllMocks();
  setCaller({
    call(_content, listener) {
      give = listener;
      return { cancel };
    },
  });
});
afterEach(() => setCaller(undefined));

const data = () => receivedResponse([a], {}, memory);
const failure = (message: string) => new InferenceResponse([], { error: new TritonError(message, "UNAVAILABLE") });

async function all(stream: AsyncIterable<InferenceResponse>): Promise<InferenceResponse[]> {
  const found: InferenceResponse[] = [];
  for await (const response of stream) found.push(response);
  return found;
}

test("responses that came before and after they were asked for", async () => {
  const stream = request.stream();
  const [first, second] = [data(), data()];
  give(first, false);
  const found = all(stream);
  await new Promise(setImmediate);
  give(second, false);
  give(undefined, true);
  expect(await found).toEqual([first, second]);
  expect(await all(stream)).toEqual([]);
  expect(cancel).not.toHaveBeenCalled();
});

test("the last response may have data", async () => {
  const stream = request.stream();
  give(data(), true);
  expect(await all(stream)).toHaveLength(1);
});

test.each([
  ["nothing", undefined],
  ["a response without outputs", new InferenceResponse()],
])("an end with %s is an item only where it is asked for", async (_, last) => {
  const without = request.stream();
  give(last, true);
  expect(await all(without)).toEqual([]);
  const withIt = request.stream({ emptyFinal: true });
  give(last, true);
  expect((await all(withIt)).map(({ outputs }) => outputs)).toEqual([[]]);
});

test("an empty response in the middle is an item", async () => {
  const stream = request.stream();
  give(new InferenceResponse(), false);
  give(undefined, true);
  expect(await all(stream)).toHaveLength(1);
});

test("an error ends the loop, cancels the rest and drops what comes", async () => {
  const stream = request.stream();
  give(data(), false);
  give(failure("no"), false);
  give(data(), false);
  const found: InferenceResponse[] = [];
  await expect(
    (async () => {
      for await (const response of stream) found.push(response);
    })(),
  ).rejects.toMatchObject({ code: "UNAVAILABLE", message: "no" });
  give(data(), true);
  expect([found.length, cancel.mock.calls.length, memory.dispose.mock.calls.length]).toEqual([1, 1, 2]);
});

test("an error that comes last cancels nothing", async () => {
  const stream = request.stream();
  give(failure("no"), true);
  await expect(all(stream)).rejects.toThrow("no");
  expect(cancel).not.toHaveBeenCalled();
});

test("throwOnError: false gives errors as items", async () => {
  const stream = request.stream({ throwOnError: false });
  give(failure("no"), false);
  give(data(), true);
  expect((await all(stream)).map(({ error }) => error?.message)).toEqual(["no", undefined]);
});

test("leaving the loop cancels, and what comes is dropped", async () => {
  const stream = request.stream();
  give(data(), false);
  give(data(), false);
  for await (const _ of stream) break;
  expect(cancel).toHaveBeenCalledTimes(1);
  give(data(), false);
  give(undefined, true);
  expect(memory.dispose).toHaveBeenCalledTimes(2);
  expect(await all(stream)).toEqual([]);
});

test("leaving the loop after the end cancels nothing", async () => {
  const stream = request.stream();
  give(data(), true);
  for await (const _ of stream) break;
  expect(cancel).not.toHaveBeenCalled();
});

test("cancel() asks, and the iteration goes on until the model has stopped", async () => {
  const stream = request.stream();
  const found = all(stream);
  stream.cancel();
  expect(cancel).toHaveBeenCalledTimes(1);
  give(data(), false);
  give(undefined, true);
  expect(await found).toHaveLength(1);
});

test("several who ask before anything comes", async () => {
  const iterator = request.stream()[Symbol.asyncIterator]();
  const asked = [iterator.next(), iterator.next(), iterator.next()];
  const response = data();
  give(response, true);
  expect(await Promise.all(asked)).toEqual([
    { done: false, value: response },
    { done: true, value: undefined },
    { done: true, value: undefined },
  ]);
});

test("where there is no server", () => {
  setCaller(undefined);
  expect(() => request.stream()).toThrow("Other models can be called from a model that is served");
});

test("options are checked", () => {
  expect(() => request.stream({ emptyFinals: true } as object)).toThrow(
    "stream() has no option 'emptyFinals'. Its options are throwOnError, emptyFinal.",
  );
});

test("responses that nobody reads are given up beyond a limit, and those that came are read first", async () => {
  const half = new Tensor("A", new Uint8Array(UNREAD_LIMIT / 2), [UNREAD_LIMIT / 2]);
  const large = () => receivedResponse([half], {}, memory);
  const stream = request.stream();
  give(large(), false);
  expect(cancel).not.toHaveBeenCalled();
  give(large(), false);
  expect(cancel).toHaveBeenCalledTimes(1);
  give(large(), false);
  expect(memory.dispose).toHaveBeenCalledTimes(1);
  give(undefined, true);
  const read: unknown[] = [];
  const reading = (async () => {
    for await (const response of stream) read.push(response.outputs.length);
  })();
  await expect(reading).rejects.toMatchObject({ code: "UNAVAILABLE", message: expect.stringContaining("64 MiB") });
  expect(read).toEqual([1, 1]);
});

test("responses that are read as they come are never too many", async () => {
  const half = new Tensor("A", new Uint8Array(UNREAD_LIMIT / 2), [UNREAD_LIMIT / 2]);
  const iterator = request.stream()[Symbol.asyncIterator]();
  for (let i = 0; i < 5; i++) {
    give(receivedResponse([half], {}, memory), false);
    expect(await iterator.next()).toMatchObject({ done: false });
  }
  expect(cancel).not.toHaveBeenCalled();
});
