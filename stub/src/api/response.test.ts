// SPDX-License-Identifier: Apache-2.0
import vm from "node:vm";
import { expect, test } from "vitest";
import { isDefect, TritonError } from "./errors.ts";
import { InferenceResponse } from "./response.ts";
import { Tensor } from "./tensor.ts";

const a = new Tensor("A", new Float32Array(1), [1]);
const b = new Tensor("B", new Float32Array(1), [1]);

/** What is thrown for a mistake of the model. */
const mistake = (text: string) =>
  expect.toSatisfy(
    (error: TritonError) => isDefect(error) && error.code === "INTERNAL" && error.message.includes(text),
    text,
  );

test("outputs by order and by name", () => {
  const response = new InferenceResponse([a, b]);
  expect(response.outputs).toEqual([a, b]);
  expect(response.output("B")).toBe(b);
  expect(response.optionalOutput("A", "FP32")).toBe(a);
  expect(response.optionalOutput("C")).toBeUndefined();
  expect([response.error, response.parameters]).toEqual([undefined, {}]);
});

test("an output that is not there, or of another datatype", () => {
  expect(() => new InferenceResponse([a, b]).output("C")).toThrow(
    mistake("The response has no output 'C'. Its outputs are 'A', 'B'."),
  );
  expect(() => new InferenceResponse().output("C")).toThrow(mistake("no output 'C'. It has no outputs."));
  for (const name of [Symbol("A"), undefined]) {
    expect(() => new InferenceResponse([a]).output(name as never)).toThrow(
      mistake("A tensor needs a name that is a string"),
    );
  }
  for (const read of ["output", "optionalOutput"] as const) {
    expect(() => new InferenceResponse([a])[read]("A", "INT32" as never)).toThrow(
      mistake("Output 'A' has datatype FP32, but the model asked for INT32."),
    );
  }
});

test("an output of a response that is an error", () => {
  const response = new InferenceResponse([], { error: new TritonError("no such thing", "NOT_FOUND") });
  expect(() => response.output("A")).toThrow(
    expect.objectContaining({
      message: "The response is an error and has no output 'A': no such thing",
      code: "NOT_FOUND",
      cause: response.error,
    }),
  );
  expect(response.optionalOutput("A")).toBeUndefined();
});

test("a response that the model made has nothing to dispose of", () => {
  using response = new InferenceResponse([a]);
  response.dispose();
  expect(response.output("A").data).toHaveLength(1);
});

test("an error, and no outputs", () => {
  const error = new TritonError("no", "UNAVAILABLE");
  expect(new InferenceResponse(undefined, { error })).toMatchObject({ outputs: [], error });
});

test("parameters", () => {
  const parameters = { text: "x", yes: true, whole: 5, half: 0.5, big: 2n ** 62n };
  expect(new InferenceResponse([a], { parameters }).parameters).toEqual(parameters);
});

test.each([
  [{}, "must be an array of Tensor, but are an object"],
  [[null], "Output 0 of an InferenceResponse must be a Tensor, but is null"],
  [[a, { name: "B" }], "Output 1 of an InferenceResponse must be a Tensor, but is an object"],
  [[a, b, a], "two outputs named 'A'"],
])("outputs %o are refused", (outputs, text) => {
  expect(() => new InferenceResponse(outputs as Tensor[])).toThrow(mistake(text));
});

test.each([
  [null, "The second argument of new InferenceResponse() must be an object such as { error }, but is null."],
  ["text", "such as { error }, but is 'text'."],
  [7, "such as { error }, but is 7."],
  [[a], "such as { error }, but is Array."],
  [{ eror: new TritonError("no") }, "new InferenceResponse() has no option 'eror'. Its options are error, parameters."],
  [new TritonError("no", "NOT_FOUND"), "but is a TritonError. Write new InferenceResponse(outputs, { error })."],
  [new Error("no"), "but is Error. Write new InferenceResponse(outputs, { error }) with a TritonError."],
])("the options %o are refused", (options, text) => {
  expect(() => new InferenceResponse([], options as never)).toThrow(mistake(text));
});

test("options that are left out or empty", () => {
  for (const options of [undefined, {}, { error: undefined, parameters: undefined }, Object.create(null)]) {
    expect(new InferenceResponse([a], options)).toMatchObject({ outputs: [a], error: undefined, parameters: {} });
  }
});

test("an error of another class is refused", () => {
  expect(() => new InferenceResponse([], { error: new Error("x") as TritonError })).toThrow(
    mistake("must be a TritonError, but is Error"),
  );
});

test.each([
  [new Map([["a", 1]]), "Map"],
  [["a"], "Array"],
  [new Date(), "Date"],
  ["text", "a string"],
  [null, "null"],
])("parameters that are %o are refused", (parameters, shown) => {
  expect(() => new InferenceResponse([], { parameters: parameters as never })).toThrow(
    mistake(`The parameters of an InferenceResponse must be a plain object, { name: value }, but are ${shown}.`),
  );
});

test.each<Record<string, string | number>>([{ "a\0": 1 }, { a: "b\0c" }])("zeros are refused: %o", (parameters) => {
  expect(() => new InferenceResponse([], { parameters })).toThrow(mistake("has a zero character"));
});

test.each([Object.create(null), vm.runInNewContext("({ a: 1 })")])("parameters of another make: %o", (parameters) => {
  expect(new InferenceResponse([], { parameters }).parameters).toBe(parameters);
});

test.each([
  [2 ** 53, "9007199254740992"],
  [Number.NaN, "NaN"],
  [Number.POSITIVE_INFINITY, "Infinity"],
  [2n ** 63n, "9223372036854775808"],
  [null, "null"],
  [[1], "Array"],
  [undefined, "undefined"],
])("the parameter value %o is refused", (value, shown) => {
  expect(() => new InferenceResponse([], { parameters: { p: value as never } })).toThrow(
    mistake(`Response parameter 'p' is ${shown}.`),
  );
});
