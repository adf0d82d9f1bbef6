// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type CallContent, type CallListener, setCaller } from "./caller.ts";
import { TritonError } from "./errors.ts";
import { InferenceRequest } from "./request.ts";
import { InferenceResponse, receivedResponse } from "./response.ts";
import { Tensor } from "./tensor.ts";

const a = new Tensor("A", Float32Array.of(1), [1]);
const request = new InferenceRequest({ modelName: "m", inputs: [a] });
const memory = { dispose: vi.fn() };
const cancel = vi.fn();
let content: CallContent;
let give: CallListener;
beforeEach(() => {
  vi.clearAllMocks();
  setCaller({
    call(asked, listener) {
      content = asked;
      give = listener;
      return { cancel };
    },
  });
});
afterEach(() => setCaller(undefined));

const data = () => receivedResponse([a], {}, memory);
const failure = (message: string) => new InferenceResponse([], { error: new TritonError(message, "UNAVAILABLE") });

test("one response that is the last one", async () => {
  const answer = request.exec();
  expect(content).toMatchObject({ modelName: "m", modelVersion: -1, inputs: [a] });
  const response = data();
  give(response, true);
  expect(await answer).toBe(response);
});

test("one response of a decoupled model, and its end", async () => {
  const answer = request.exec();
  const response = data();
  give(response, false);
  give(undefined, true);
  expect(await answer).toBe(response);
  expect(memory.dispose).not.toHaveBeenCalled();
});

test("no response with data is a response without outputs", async () => {
  const answer = request.exec();
  give(undefined, true);
  expect((await answer).outputs).toEqual([]);
});

test("an empty response before the one with data", async () => {
  const answer = request.exec();
  give(new InferenceResponse(), false);
  const response = data();
  give(response, true);
  expect(await answer).toBe(response);
});

test("a second response with data is an error, and the rest is cancelled", async () => {
  const answer = request.exec();
  give(data(), false);
  give(data(), false);
  expect(cancel).toHaveBeenCalledTimes(1);
  give(data(), false);
  give(failure("cancelled"), true);
  await expect(answer).rejects.toThrow("Model 'm' gave more than one response, which exec() has no place for.");
  expect(memory.dispose).toHaveBeenCalledTimes(3);
});

test("an error keeps code and text", async () => {
  const answer = request.exec();
  give(failure("later"), true);
  await expect(answer).rejects.toMatchObject({ code: "UNAVAILABLE", message: "later" });
});

test("an error after a response, and a response after an error", async () => {
  const first = request.exec();
  give(data(), false);
  give(failure("a"), true);
  await expect(first).rejects.toThrow("a");
  const second = request.exec();
  give(failure("b"), false);
  give(data(), true);
  await expect(second).rejects.toThrow("b");
  expect(memory.dispose).toHaveBeenCalledTimes(2);
});

test("throwOnError: false gives an error as a response", async () => {
  const answer = request.exec({ throwOnError: false });
  give(failure("later"), true);
  expect((await answer).error).toMatchObject({ code: "UNAVAILABLE", message: "later" });
});

test("where there is no server", async () => {
  setCaller(undefined);
  await expect(request.exec()).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: expect.stringContaining("Other models can be called from a model that is served"),
  });
});

test.each<[unknown, string]>([
  [null, "exec() takes an object of options, but got null"],
  [{ throwOnErrors: true }, "exec() has no option 'throwOnErrors'. Its option is throwOnError."],
  [{ throwOnError: 1 }, "The option 'throwOnError' of exec() must be true or false, but is 1."],
])("the options %o are refused at once", (options, text) => {
  expect(() => request.exec(options as object)).toThrow(text);
});
