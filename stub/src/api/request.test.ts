// SPDX-License-Identifier: Apache-2.0
import { inspect } from "node:util";
import { describe, expect, test, vi } from "vitest";
import type { DataType } from "./datatype.ts";
import { isDefect, type TritonError } from "./errors.ts";
import { requestFromSource } from "./request.ts";
import type { RequestSource } from "./request_source.ts";
import { trustedTensor } from "./tensor.ts";

/** A fake of what the runtime reads from shared memory, which counts what is read. */
function fakeSource(changes: Partial<RequestSource> = {}) {
  const names = ["A", "B"];
  const datatypes: DataType[] = ["FP32", "INT64"];
  const reads = { id: 0, parameters: 0 };
  const inputData = vi.fn((i: number) => (i === 0 ? new Float32Array([1, 2]) : new BigInt64Array(1)));
  const allocateOutput = vi.fn((name: string, datatype: DataType, shape: number[], elementCount: number) =>
    trustedTensor(name, datatype, shape, new Float32Array(elementCount)),
  );
  const source: RequestSource = {
    get id() {
      reads.id++;
      return "request-1";
    },
    correlationId: 0,
    flags: 0,
    timeoutUs: 0,
    isCancelled: false,
    signal: new AbortController().signal,
    deadlineMs: undefined,
    trace: undefined,
    responseSender: vi.fn(),
    reschedule: vi.fn(),
    get parameters() {
      reads.parameters++;
      return { size: 10n };
    },
    requestedOutputs: ["OUT"],
    inputCount: 2,
    declaredInputs: ["A", "B", "O"],
    inputName: (i) => names[i]!,
    inputDatatype: (i) => datatypes[i]!,
    inputShape: (i) => [2 - i],
    inputData,
    allocateOutput,
    ...changes,
  };
  return { request: requestFromSource(source), reads, inputData, allocateOutput };
}

/** What is thrown for a mistake of the model. */
const mistake = (text: string) =>
  expect.toSatisfy(
    (error: TritonError) => isDefect(error) && error.code === "INTERNAL" && error.message.includes(text),
    text,
  );

test("what a client sent, read once", () => {
  const { request, reads } = fakeSource({ correlationId: "seq", flags: 3, timeoutUs: 500 });
  expect([request.id, request.id, reads.id]).toEqual(["request-1", "request-1", 1]);
  expect([request.parameters, request.parameters.size, reads.parameters]).toEqual([{ size: 10n }, 10n, 1]);
  expect(request).toMatchObject({ correlationId: "seq", flags: 3, timeoutUs: 500, requestedOutputs: ["OUT"] });
});

test.each([
  [0, false, false],
  [1, true, false],
  [2, false, true],
  [3, true, true],
])("flags %i", (flags, sequenceStart, sequenceEnd) => {
  expect(fakeSource({ flags }).request).toMatchObject({ sequenceStart, sequenceEnd });
});

describe("inputs", () => {
  test("are made once and read when their data is", () => {
    const { request, inputData } = fakeSource();
    const a = request.input("A", "FP32");
    expect(request.inputs.map((tensor) => [tensor.name, tensor.datatype, tensor.shape])).toEqual([
      ["A", "FP32", [2]],
      ["B", "INT64", [1]],
    ]);
    expect(request.inputs[0]).toBe(a);
    expect(request.inputs).toBe(request.inputs);
    expect(inputData).not.toHaveBeenCalled();
    expect([...a.data]).toEqual([1, 2]);
    expect(inputData).toHaveBeenCalledTimes(1);
  });

  test("one that the client did not send", () => {
    const { request } = fakeSource();
    expect(() => request.input("O")).toThrow(
      expect.objectContaining({
        code: "INVALID_ARG",
        message: "The request has no input 'O'. Its inputs are 'A', 'B'.",
      }),
    );
    expect(() => fakeSource({ inputCount: 0 }).request.input("A")).toThrow("It has no inputs.");
  });

  test("a name that the model has not", () => {
    const { request } = fakeSource();
    const message = "The model asked for input 'C', which is not in its configuration. Its inputs are 'A', 'B', 'O'.";
    expect(() => request.input("C")).toThrow(mistake(message));
    expect(request.optionalInput("C")).toBeUndefined();
    expect(request.optionalInput("C", "FP32")).toBeUndefined();
    for (const name of [Symbol("A"), undefined]) {
      expect(() => request.input(name as never)).toThrow(mistake("A tensor needs a name that is a string"));
    }
    expect(() => fakeSource({ declaredInputs: [] }).request.input("C")).toThrow("configuration. It has no inputs.");
  });

  test("a datatype that differs", () => {
    const { request } = fakeSource();
    const error = mistake("Input 'A' has datatype FP32, but the model asked for INT64.");
    expect(() => request.input("A", "INT64")).toThrow(error);
    expect(() => request.optionalInput("A", "INT64")).toThrow(error);
    expect(() => request.input("A", "FLOAT" as "FP32")).toThrow("'FLOAT' is not a datatype");
    expect(request.optionalInput("B", "INT64")?.name).toBe("B");
  });
});

describe("allocateOutput", () => {
  test("asks the runtime with a shape of its own", () => {
    const { request, allocateOutput } = fakeSource();
    const shape = [2, 3];
    const output = request.allocateOutput("OUT", "FP32", shape);
    shape[0] = 9;
    expect(output).toMatchObject({ name: "OUT", datatype: "FP32", shape: [2, 3], elementCount: 6 });
    expect(allocateOutput).toHaveBeenCalledWith("OUT", "FP32", [2, 3], 6);
  });

  test.each([
    ["", "FP32", [1], "A tensor needs a name"],
    ["OUT", "FLOAT", [1], "'FLOAT' is not a datatype"],
    ["OUT", "BYTES", [1], "Output 'OUT' of datatype BYTES cannot be allocated"],
    ["OUT", "FP32", [-1], "Dimension 0 of tensor 'OUT' is -1"],
  ])("refuses %o, %o, %o", (name, datatype, shape, text) => {
    const { request, allocateOutput } = fakeSource();
    expect(() => request.allocateOutput(name, datatype as DataType, shape)).toThrow(mistake(text));
    expect(allocateOutput).not.toHaveBeenCalled();
  });
});

test("a request prints its inputs without their data", () => {
  expect(inspect(fakeSource().request)).toBe("InferenceRequest { id: 'request-1', inputs: A FP32 [2]; B INT64 [1] }");
});
