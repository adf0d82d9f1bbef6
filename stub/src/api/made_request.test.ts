// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { isDefect } from "./errors.ts";
import type { InferenceRequestOptions } from "./made_request.ts";
import { InferenceRequest } from "./request.ts";
import { Tensor } from "./tensor.ts";
import { traceFromSource } from "./trace.ts";

const a = new Tensor("A", Float32Array.of(1), [1]);
const b = new Tensor("B", ["x"], [1]);
const least = { modelName: "m", inputs: [a] };

/** What is thrown for a mistake of the model. */
const mistake = (text: string) =>
  expect.toSatisfy((error: Error) => isDefect(error) && error.message.includes(text), text);

test("what is left out", () => {
  const request = new InferenceRequest({ ...least, id: undefined, signal: undefined });
  expect(request).toMatchObject({ id: "", correlationId: 0, flags: 0, timeoutUs: 0, parameters: {} });
  expect(request).toMatchObject({ requestedOutputs: [], sequenceStart: false, isCancelled: false });
  expect([request.deadlineMs, request.signal.aborted]).toEqual([undefined, false]);
});

test("what is given can be read again", () => {
  const abort = new AbortController();
  const request = new InferenceRequest({
    ...least,
    inputs: [a, b],
    requestedOutputs: ["OUT"],
    id: "7",
    correlationId: "s",
    sequenceStart: true,
    sequenceEnd: true,
    timeoutUs: 11_000_000_000,
    parameters: { p: 1.5 },
    signal: abort.signal,
  });
  expect(request).toMatchObject({ id: "7", correlationId: "s", flags: 3, timeoutUs: 11_000_000_000 });
  expect(request).toMatchObject({ parameters: { p: 1.5 }, requestedOutputs: ["OUT"], signal: abort.signal });
  expect(request.inputs[0]).toBe(a);
  expect(request.input("B", "BYTES").strings()).toEqual(["x"]);
  abort.abort();
  expect(request.isCancelled).toBe(true);
});

test("the trace of another request, or none", () => {
  const trace = traceFromSource({}, { traceparent: "00-1-2-01" });
  expect(new InferenceRequest({ ...least, trace }).trace).toBe(trace);
  for (const none of [null, undefined]) expect(new InferenceRequest({ ...least, trace: none }).trace).toBeUndefined();
});

test("flags are given as bits, or by name", () => {
  expect(new InferenceRequest({ ...least, flags: 2 })).toMatchObject({ sequenceStart: false, sequenceEnd: true });
  expect(new InferenceRequest({ ...least, sequenceStart: false }).flags).toBe(0);
});

test("arrays are the model's to change afterwards", () => {
  const inputs = [a];
  const requestedOutputs = ["OUT"];
  const request = new InferenceRequest({ modelName: "m", inputs, requestedOutputs });
  inputs.length = 0;
  requestedOutputs.length = 0;
  expect([request.inputs.length, request.requestedOutputs]).toEqual([1, ["OUT"]]);
});

test.each<[keyof InferenceRequestOptions, unknown, string]>([
  ["modelName", undefined, "a string that is not empty and without zero characters, but is undefined"],
  ["modelName", "", "a string that is not empty and without zero characters, but is an empty string"],
  ["modelName", 5, "a string that is not empty and without zero characters, but is 5"],
  ["inputs", undefined, "an array of Tensor, but is undefined"],
  ["inputs", a, "an array of Tensor, but is Tensor"],
  ["modelVersion", "1", "a whole number of at least 1, or -1, but is '1'"],
  ["modelVersion", 0, "a whole number of at least 1, or -1, but is 0"],
  ["modelVersion", -2, "a whole number of at least 1, or -1, but is -2"],
  ["modelVersion", 1.5, "but is 1.5"],
  ["requestedOutputs", "OUT", "an array of names, but is 'OUT'"],
  ["requestedOutputs", ["OUT", ""], "an array of names, but is Array"],
  ["id", 7, "a string without zero characters, but is 7"],
  ["id", null, "a string without zero characters, but is null"],
  ["id", "a\0", "a string without zero characters"],
  ["modelName", "m\0", "without zero characters"],
  ["requestedOutputs", ["\0"], "an array of names, but is Array"],
  ["correlationId", "\0", "a string, a whole number"],
  ["correlationId", -1, "a string, a whole number or a bigint that fits 64 bits, but is -1"],
  ["correlationId", 2n ** 64n, "but is 18446744073709551616"],
  ["flags", -1, "a whole number of 32 bits, but is -1"],
  ["flags", 2 ** 32, "a whole number of 32 bits"],
  ["sequenceStart", 1, "true or false, but is 1"],
  ["sequenceEnd", "yes", "true or false, but is 'yes'"],
  ["timeoutUs", 0.5, "a whole number of at least 0, or a bigint that fits 64 bits, but is 0.5"],
  ["priority", "high", "a whole number of at least 0, or a bigint that fits 64 bits, but is 'high'"],
  ["parameters", [1], "an object of named values, but is Array"],
  ["parameters", null, "an object of named values, but is null"],
  ["signal", new AbortController(), "an AbortSignal, but is AbortController"],
  ["signal", null, "an AbortSignal, but is null"],
  ["signal", { aborted: false, addEventListener: () => {} }, "an AbortSignal, but is an object"],
  ["trace", { context: {} }, "request.trace of a request, or null, but is an object"],
  ["trace", "00-1-2-01", "request.trace of a request, or null, but is '00-1-2-01'"],
])("the option %s as %o is refused", (name, value, text) => {
  const options = { ...least, [name]: value } as unknown as InferenceRequestOptions;
  expect(() => new InferenceRequest(options)).toThrow(mistake(`The option '${name}' of an InferenceRequest must be`));
  expect(() => new InferenceRequest(options)).toThrow(mistake(text));
});

test("an input that it was not given", () => {
  const text = "The model asked for input 'NO', which it did not give to this request. Its inputs are 'A'.";
  expect(() => new InferenceRequest(least).input("NO")).toThrow(mistake(text));
});

test.each<[unknown, string]>([
  [undefined, 'needs an object such as { modelName: "classifier", inputs: [pixels] }, but got undefined'],
  ["m", "but got 'm'"],
  [{ ...least, model_name: "m" }, "An InferenceRequest has no option 'model_name'. Its options are modelName, inputs,"],
  [
    { ...least, inputs: [a, null] },
    "Input 1 of an InferenceRequest must be a Tensor, but is null. See the option 'inputs'.",
  ],
  [{ ...least, inputs: [a, a] }, "The option 'inputs' of an InferenceRequest has two tensors named 'A'"],
  [
    { ...least, inputs: [new Tensor("\0", ["x"], [1])] },
    "The name of input 0 of an InferenceRequest has a zero character.",
  ],
  [{ ...least, parameters: { p: Number.NaN } }, "Request parameter 'p' is NaN"],
  [
    { ...least, flags: 1, sequenceEnd: true },
    "takes the option 'flags', or 'sequenceStart' and 'sequenceEnd', but not both",
  ],
])("%o is refused", (options, text) => {
  expect(() => new InferenceRequest(options as InferenceRequestOptions)).toThrow(mistake(text));
});

test.each(["allocateOutput", "responseSender", "reschedule"] as const)(
  "%s is for requests that are received",
  (method) => {
    const request = new InferenceRequest(least);
    expect(() => request[method]("OUT", "FP32", [1])).toThrow(
      mistake(`${method}() is for requests that the model receives, but this one it made itself`),
    );
  },
);
