// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from "vitest";
import * as L from "../protocol/layout.gen.ts";
import { readBatch } from "./batch_reader.ts";
import { SharedMemory } from "./shared_memory.ts";
import { FakeNative, type FakeRequestRecord, INBOUND, writeBatch } from "./testing/fake_native.ts";

let native: FakeNative;
let memory: SharedMemory;
beforeEach(() => {
  native = new FakeNative();
  memory = new SharedMemory(native);
});
const tables = { inputs: ["A", "B"], outputs: ["X", "Y"] };
const read = (requests: readonly FakeRequestRecord[], strict = false) =>
  readBatch(memory, tables, { index: 3, generation: 7, place: writeBatch(native, requests) }, strict);
const bytesOf = (array: Float32Array | Int32Array) => new Uint8Array(array.buffer);
const floats = (name: number | string, ...values: number[]) => ({
  name,
  datatype: L.DTYPE_FP32,
  shape: [values.length],
  data: bytesOf(Float32Array.of(...values)),
});

test("a batch of requests with all that a request has", () => {
  const batch = read([
    {
      id: "first",
      correlation: 42n,
      flags: 3,
      timeoutUs: 5_000_000_000,
      requested: [1],
      parameters: { text: "grün", whole: 7n, large: 1n << 60n, yes: true, half: 0.5, __proto__x: "p" },
      inputs: [floats(0, 1, 2, 3), floats("surprise", 4)],
    },
    {
      id: "",
      correlation: "sequence-ß",
      requested: [0, 1],
      inputs: [{ name: 1, datatype: L.DTYPE_INT32, shape: [1, 0], data: new Uint8Array(0) }],
    },
  ]);
  expect(batch).toMatchObject({ index: 3, generation: 7, closed: false });
  const [first, second] = batch.requests as [(typeof batch.requests)[0], (typeof batch.requests)[0]];
  expect(first).toMatchObject({
    id: "first",
    correlationId: 42,
    flags: 3,
    sequenceStart: true,
    sequenceEnd: true,
    timeoutUs: 5_000_000_000,
  });
  expect(first.requestedOutputs).toEqual(["Y"]);
  expect({ ...first.parameters }).toEqual({
    text: "grün",
    whole: 7,
    large: 1n << 60n,
    yes: true,
    half: 0.5,
    __proto__x: "p",
  });
  expect(first.inputs.map(({ name }) => name)).toEqual(["A", "surprise"]);
  expect(first.input("A", "FP32").data).toEqual(Float32Array.of(1, 2, 3));
  expect(second).toMatchObject({ id: "", correlationId: "sequence-ß", flags: 0, timeoutUs: 0 });
  expect(second.requestedOutputs).toEqual(["X", "Y"]);
  expect(second.input("B", "INT32")).toMatchObject({ shape: [1, 0], data: new Int32Array(0) });
});

test("a large correlation id is a bigint", () => {
  expect(read([{ correlation: (1n << 63n) + 1n }]).requests[0]!.correlationId).toBe((1n << 63n) + 1n);
});

test("a parameter called __proto__ is a parameter", () => {
  const parameters = Object.fromEntries([["__proto__", "mine"]]);
  expect(Object.getOwnPropertyDescriptor(read([{ parameters }]).requests[0]!.parameters, "__proto__")?.value).toBe(
    "mine",
  );
});

test("data is a view on shared memory", () => {
  const { data } = read([{ inputs: [floats(0, 1, 2)] }]).requests[0]!.input("A", "FP32");
  expect(data.buffer).toBe(native.region(INBOUND));
});

test("what is read after the answer is refused", () => {
  const batch = read([{ inputs: [floats(0, 1)] }]);
  batch.close();
  expect(() => batch.requests[0]!.input("A").data).toThrow("Input 'A' was read after its request was answered.");
  expect(() => batch.requests[0]!.allocateOutput("X", "FP32", [1])).toThrow("after its request was answered");
});

describe("strict views", () => {
  test("are empty once the batch is answered", () => {
    const batch = read([{ inputs: [floats(0, 1, 2)] }], true);
    const { data } = batch.requests[0]!.input("A", "FP32");
    const output = batch.requests[0]!.allocateOutput("X", "FP32", [2]);
    expect(data).toEqual(Float32Array.of(1, 2));
    batch.close();
    expect(data).toHaveLength(0);
    expect(output.data).toHaveLength(0);
    expect(native.detached).toHaveLength(2);
  });
});

describe("memory that a model has written over", () => {
  // No number in a record may lead to a loop without end.
  test.each([0xff, 0x7f])("filled with %d", (filling) => {
    const batch = read([{ requested: [0], inputs: [floats(0, 1)] }]);
    new Uint8Array(native.region(INBOUND)).fill(filling);
    const source = batch.sources[0]!;
    expect(source.wants(0)).toBe(false);
    expect(source.requestedOutputs.length).toBeLessThanOrEqual(tables.outputs.length);
    expect(() => source.inputShape(0)).toThrow("The model wrote over the memory of its request.");
  });
});

test("an output that does not fit", () => {
  native.limit = 100;
  expect(() => read([{}]).requests[0]!.allocateOutput("X", "FP64", [1000])).toThrow(
    /^Failed to increase the shared memory pool size: output 'X' needs 8000 bytes/,
  );
});
