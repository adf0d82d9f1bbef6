// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import * as L from "../protocol/layout.gen.ts";
import { dtypeOfName } from "./dtype.ts";
import { makeRegion } from "./record.ts";
import { MeasuredRequest, type RequestContent, RequestRecord } from "./request_record.ts";

const tables = { inputs: ["A", "B"], outputs: ["X", "Y"] };
const START = 128;
const empty: RequestContent = {
  id: "",
  correlationId: 0,
  flags: 0,
  timeoutUs: 0,
  parameters: {},
  requested: [0],
  inputs: [],
};
const place = { region: 1, offset: 64, bytes: 8 };
const input = { name: 0, dtype: dtypeOfName("FP32"), shape: [2] };

function record(content: Partial<RequestContent>) {
  const measured = new MeasuredRequest({ ...empty, ...content });
  const region = makeRegion(1, new ArrayBuffer(1 << 12));
  measured.write(
    region,
    START,
    (content.inputs ?? []).map(() => place),
  );
  return { region, measured, read: new RequestRecord(region, START, START + measured.bytes, tables) };
}
const read = (content: Partial<RequestContent>) => record(content).read;

test("what was written is read", () => {
  const request = read({
    id: "first",
    correlationId: "sequence-ß",
    flags: 3,
    timeoutUs: 5_000_000_000,
    requested: [1, 0],
    parameters: { text: "grün", large: 1n << 60n, yes: false, half: 0.5 },
    trace: '{"traceparent":"ß"}',
    inputs: [
      input,
      { name: "surprise", dtype: dtypeOfName("BYTES"), shape: [] },
      { ...input, name: "more", shape: [1, 2] },
    ],
  });
  expect(request).toMatchObject({ id: "first", correlationId: "sequence-ß", flags: 3, timeoutUs: 5_000_000_000 });
  expect(request).toMatchObject({ hasTrace: true, traceText: '{"traceparent":"ß"}' });
  expect(request.requestedOutputs).toEqual(["Y", "X"]);
  expect([0, 1, 2].map((output) => request.wants(output))).toEqual([true, true, false]);
  expect({ ...request.parameters }).toEqual({ text: "grün", large: 1n << 60n, yes: false, half: 0.5 });
  const inputs = Array.from({ length: request.inputCount }, (_, i) => [
    request.inputName(i),
    request.inputDatatype(i),
    request.inputShape(i),
    request.inputPlace(i),
  ]);
  expect(inputs).toEqual([
    ["A", "FP32", [2], place],
    ["surprise", "BYTES", [], place],
    ["more", "FP32", [1, 2], place],
  ]);
});

test("bytes that a server writes, put there by hand", () => {
  const buffer = new ArrayBuffer(256);
  const view = new DataView(buffer);
  const put = (...words: [at: number, value: number][]) => {
    for (const [at, value] of words) view.setUint32(at, value, true);
  };
  // struct tsb_request, one input with one dimension, "id", one requested output
  put([0, 144], [4, 1], [8, 42], [16, 1000], [24, 128], [28, 2], [48, 136], [52, 1], [56, 1]);
  put([72, 1], [76, 11], [80, 1], [96, 7], [104, 4096], [112, 4], [120, 1]);
  new Uint8Array(buffer).set([105, 100], 128);
  put([136, 1]);
  const request = new RequestRecord(makeRegion(1, buffer), 0, 144, tables);
  expect(request).toMatchObject({ id: "id", correlationId: 42, flags: 1, timeoutUs: 1000, inputCount: 1, end: 144 });
  expect(request.requestedOutputs).toEqual(["Y"]);
  expect([request.inputName(0), request.inputDatatype(0), request.inputShape(0)]).toEqual(["B", "FP32", [1]]);
  expect(request.inputPlace(0)).toEqual({ region: 7, offset: 4096, bytes: 4 });
});

test("a trace may be without a context", () => {
  expect(read({})).toMatchObject({ hasTrace: false });
  expect(read({ trace: "" })).toMatchObject({ hasTrace: true, traceText: "" });
});

test("a large correlation id is a bigint", () => {
  expect(read({ correlationId: (1n << 63n) + 1n }).correlationId).toBe((1n << 63n) + 1n);
});

test("a parameter called __proto__ is a parameter", () => {
  const parameters = Object.fromEntries([["__proto__", "mine"]]);
  expect(Object.getOwnPropertyDescriptor(read({ parameters }).parameters, "__proto__")?.value).toBe("mine");
});

test("of two parameters with one name the last one counts", () => {
  const { region, read: request } = record({ parameters: { a: 1, b: 2 } });
  const second = START + region.u32[(START + L.REQUEST_PARAMETERS_OFFSET) / 4]! + L.PARAMETER_SIZE + 8;
  region.u8.set(Buffer.from("a"), second + L.PARAMETER_SIZE);
  expect({ ...request.parameters }).toEqual({ a: 2 });
});

test("more inputs than the record has room for are refused", () => {
  const { region, measured } = record({ inputs: [input] });
  region.u32[(START + L.REQUEST_INPUT_COUNT) / 4] = 1 << 30;
  expect(() => new RequestRecord(region, START, START + measured.bytes, tables)).toThrow(
    "The server sent a request that does not fit into its block.",
  );
});

test.each([
  [0, "less than its head"],
  [L.REQUEST_SIZE + 4, "no multiple of 8"],
  [1 << 11, "beyond its block"],
])("a record of %d bytes is refused: %s", (bytes) => {
  const { region, measured } = record({ inputs: [input] });
  region.u32[(START + L.REQUEST_RECORD_BYTES) / 4] = bytes;
  expect(() => new RequestRecord(region, START, START + measured.bytes, tables)).toThrow(
    "The server sent a request that does not fit into its block.",
  );
});

describe("memory that a model has written over", () => {
  const refused = "The model wrote over the memory of its request.";

  // No number in a record may lead to a loop without end.
  test.each([0xff, 0x7f])("filled with %d", (filling) => {
    const { region, read: request } = record({ requested: [0], inputs: [input] });
    region.u8.fill(filling);
    expect(request.wants(0)).toBe(false);
    expect(request.requestedOutputs.length).toBeLessThanOrEqual(tables.outputs.length);
    expect(() => request.inputShape(0)).toThrow(refused);
    for (const field of ["id", "correlationId", "parameters"] as const) expect(() => request[field]).toThrow(refused);
    expect(() => request.inputName(0)).toThrow(refused);
  });

  const whole = {
    id: "first",
    correlationId: "second",
    trace: "{}",
    requested: [0, 1],
    parameters: { key: "value" },
    inputs: [{ ...input, name: "surprise" }, input],
  };
  const tensor = L.REQUEST_SIZE;
  test.each<[string, number, (request: RequestRecord) => unknown]>([
    ["the place of the id", L.REQUEST_ID_OFFSET, (request) => request.id],
    ["the length of the id", L.REQUEST_ID_BYTES, (request) => request.id],
    ["the place of the correlation id", L.REQUEST_CORRELATION_OFFSET, (request) => request.correlationId],
    ["the length of the correlation id", L.REQUEST_CORRELATION_BYTES, (request) => request.correlationId],
    ["the place of the trace", L.REQUEST_TRACE_OFFSET, (request) => request.traceText],
    ["the length of the trace", L.REQUEST_TRACE_BYTES, (request) => request.traceText],
    ["the place of the parameters", L.REQUEST_PARAMETERS_OFFSET, (request) => request.parameters],
    ["their number", L.REQUEST_PARAMETER_COUNT, (request) => request.parameters],
    ["the number of dimensions", tensor + L.TENSOR_DIMS_COUNT, (request) => request.inputShape(0)],
    ["the dimensions of an input before", tensor + L.TENSOR_DIMS_COUNT, (request) => request.inputShape(1)],
    ["the name of an input", tensor + L.TENSOR_NAME, (request) => request.inputName(0)],
    ["the place of a name", tensor + L.TENSOR_NAME_OFFSET, (request) => request.inputName(0)],
    ["the length of a name", tensor + L.TENSOR_NAME_BYTES, (request) => request.inputName(0)],
  ])("%s", (_what, field, look) => {
    for (const value of [1 << 12, 0x7fffffff, 0xfffffffe]) {
      const { region, read: request } = record(whole);
      region.u32[(START + field) / 4] = value;
      expect(() => look(request)).toThrow(refused);
    }
  });

  test.each([
    ["the place of the wanted outputs", L.REQUEST_REQUESTED_OFFSET],
    ["the number of wanted outputs", L.REQUEST_REQUESTED_COUNT],
  ])("%s: none is wanted", (_what, field) => {
    for (const value of [1 << 12, 0x7fffffff, 0xffffffff]) {
      const { region, read: request } = record(whole);
      region.u32[(START + field) / 4] = value;
      expect(request.requestedOutputs).toEqual([]);
      expect(request.wants(0)).toBe(false);
    }
  });

  test("an input count that grew is not believed", () => {
    const { region, read: request } = record(whole);
    region.u32[(START + L.REQUEST_INPUT_COUNT) / 4] = 1 << 30;
    expect(request.inputCount).toBe(2);
  });
});
