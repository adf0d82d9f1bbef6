// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { Tensor } from "../api/tensor.ts";
import * as L from "../protocol/layout.gen.ts";
import { makeRegion } from "./record.ts";
import { type Answer, measureResponse, readResponse, writeResponse } from "./response_record.ts";
import { failure } from "./testing/received_batch.ts";

const START = 256;
const names = ["X", "Y"];
const answer = (outputs: Tensor[], parameters: Answer["parameters"] = {}): Answer => ({
  error: undefined,
  outputIndices: outputs.map((_, i) => i),
  outputs,
  parameters,
});

function write(content: Answer) {
  const measured = measureResponse(content, () => undefined);
  const region = makeRegion(9, new ArrayBuffer(1 << 18));
  writeResponse(region, START, measured);
  return { region, measured, read: () => readResponse(region, START, START + measured.recordBytes, names) };
}

test("what was written is read", () => {
  const tensors = [new Tensor("X", Float32Array.of(1, 2), [2, 1]), new Tensor("Y", ["ab", ""], [2])];
  const { read, measured, region } = write(answer(tensors, { text: "ä", yes: true }));
  const { error, outputs, parameters } = read();
  expect(error).toBeUndefined();
  expect({ ...parameters }).toEqual({ text: "ä", yes: true });
  const data = START + measured.recordBytes;
  expect(outputs).toMatchObject([
    { name: "X", dtype: { name: "FP32" }, shape: [2, 1], place: { region: 9, offset: data, bytes: 8 } },
    { name: "Y", dtype: { name: "BYTES" }, shape: [2], place: { region: 9, offset: data + 64, bytes: 10 } },
  ]);
  expect(new Float32Array(region.buffer, data, 2)).toEqual(Float32Array.of(1, 2));
});

test("the bytes that a server reads, looked at by hand", () => {
  const place = { region: 7, offset: 4096, bytes: 4 };
  const response = answer([new Tensor("X", Float32Array.of(1), [1])], { k: 5 });
  const region = makeRegion(9, new ArrayBuffer(1024));
  writeResponse(
    region,
    0,
    measureResponse(response, () => place),
  );
  // struct tsb_response, one output with one dimension, one parameter
  expect([...region.u32.subarray(0, 8)]).toEqual([128, 0, 32, 0, 88, 1, 1, 0]);
  expect([...region.u32.subarray(8, 14)]).toEqual([0, 11, 1, 0, 0, 0]);
  expect([...region.u32.subarray(14, 22)]).toEqual([7, 0, 4096, 0, 4, 0, 1, 0]);
  expect([...region.u32.subarray(22, 28)]).toEqual([2, 1, 0, 0, 5, 0]);
  expect(region.u8[112]).toBe("k".charCodeAt(0));
});

test.each(Object.keys(L.STATUSES) as (keyof typeof L.STATUSES)[])("the error %s", (code) => {
  expect(write(failure("näin", code)).read()).toMatchObject({ error: { code, message: "näin" }, outputs: [] });
});

describe("memory that was written over", () => {
  const response = answer([new Tensor("X", Float32Array.of(1), [1])], { key: "value" });

  test.each([0xff, 0x7f])("filled with %d", (filling) => {
    const { region, read } = write(response);
    region.u8.fill(filling);
    expect(read).toThrow("The model wrote over the memory of its request.");
  });

  test.each([
    ["its length", L.RESPONSE_RECORD_BYTES],
    ["the place of the message", L.RESPONSE_MESSAGE_OFFSET],
    ["the length of the message", L.RESPONSE_MESSAGE_BYTES],
    ["the place of the parameters", L.RESPONSE_PARAMETERS_OFFSET],
    ["their number", L.RESPONSE_PARAMETER_COUNT],
    ["the number of outputs", L.RESPONSE_OUTPUT_COUNT],
    ["the number of dimensions", L.RESPONSE_SIZE + L.TENSOR_DIMS_COUNT],
    ["the name of an output", L.RESPONSE_SIZE + L.TENSOR_NAME],
  ])("%s", (_what, field) => {
    for (const value of [1 << 18, 0x7fffffff, 0xfffffffe]) {
      const { region, read } = write(field < L.RESPONSE_PARAMETERS_OFFSET ? failure("näin") : response);
      region.u32[(START + field) / 4] = value;
      expect(read).toThrow("The model wrote over the memory of its request.");
    }
  });
});
