// SPDX-License-Identifier: Apache-2.0
// Against the generated code, and against bytes that are written by hand.
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import {
  type FlatTensorSchema,
  InferRequestSchema,
  InferResponseSchema,
} from "../proto/gen/viam/service/mlmodel/v1/mlmodel_pb.ts";
import { ModuleError } from "./errors.ts";
import type { ViamTensor } from "./tensor_kind.ts";
import { decodeInferRequest, encodeInferResponse } from "./tensor_wire.ts";

type FlatTensor = MessageInitShape<typeof FlatTensorSchema>;

const request = (tensors: Record<string, FlatTensor>, more = {}) =>
  toBinary(InferRequestSchema, create(InferRequestSchema, { name: "m", inputTensors: { tensors }, ...more }));

/** A tensor of each kind, as the generated code has it and as ours does. */
const samples: [flat: FlatTensor, ours: ViamTensor][] = [
  [
    { shape: [3n], tensor: { case: "int8Tensor", value: { data: Uint8Array.of(0, 127, 255) } } },
    { kind: "int8", shape: [3], data: Int8Array.of(0, 127, -1) },
  ],
  [
    { shape: [1n, 2n], tensor: { case: "uint8Tensor", value: { data: Uint8Array.of(1, 255) } } },
    { kind: "uint8", shape: [1, 2], data: Uint8Array.of(1, 255) },
  ],
  [
    { shape: [3n], tensor: { case: "int16Tensor", value: { data: [0xffff_ffff, 0x7fff, 0xffff_8000] } } },
    { kind: "int16", shape: [3], data: Int16Array.of(-1, 32767, -32768) },
  ],
  [
    { shape: [2n], tensor: { case: "uint16Tensor", value: { data: [65535, 1] } } },
    { kind: "uint16", shape: [2], data: Uint16Array.of(65535, 1) },
  ],
  [
    { shape: [2n], tensor: { case: "int32Tensor", value: { data: [-1, 2 ** 31 - 1] } } },
    { kind: "int32", shape: [2], data: Int32Array.of(-1, 2 ** 31 - 1) },
  ],
  [
    { shape: [2n], tensor: { case: "uint32Tensor", value: { data: [2 ** 32 - 1, 7] } } },
    { kind: "uint32", shape: [2], data: Uint32Array.of(2 ** 32 - 1, 7) },
  ],
  [
    { shape: [2n], tensor: { case: "int64Tensor", value: { data: [-1n, 2n ** 62n] } } },
    { kind: "int64", shape: [2], data: BigInt64Array.of(-1n, 2n ** 62n) },
  ],
  [
    { shape: [1n], tensor: { case: "uint64Tensor", value: { data: [2n ** 64n - 1n] } } },
    { kind: "uint64", shape: [1], data: BigUint64Array.of(2n ** 64n - 1n) },
  ],
  [
    { shape: [3n], tensor: { case: "floatTensor", value: { data: [0.5, Number.NEGATIVE_INFINITY, -0] } } },
    { kind: "float32", shape: [3], data: Float32Array.of(0.5, Number.NEGATIVE_INFINITY, -0) },
  ],
  [
    { shape: [2n], tensor: { case: "doubleTensor", value: { data: [0.1, -1e300] } } },
    { kind: "float64", shape: [2], data: Float64Array.of(0.1, -1e300) },
  ],
  [
    { shape: [], tensor: { case: "floatTensor", value: { data: [4] } } },
    { kind: "float32", shape: [], data: Float32Array.of(4) },
  ],
  [
    { shape: [0n, 4n], tensor: { case: "floatTensor", value: { data: [] } } },
    { kind: "float32", shape: [0, 4], data: new Float32Array(0) },
  ],
  [
    { shape: [0n], tensor: { case: "uint8Tensor", value: { data: new Uint8Array(0) } } },
    { kind: "uint8", shape: [0], data: new Uint8Array(0) },
  ],
];

describe("a request", () => {
  test.each(samples.map(([flat, ours], i) => ({ what: `${i}: ${ours.kind}`, flat, ours })))(
    "$what",
    ({ flat, ours }) => {
      // Names of different lengths, so that data begins at any place.
      for (const name of ["x", "xx", "xxx", "xxxx"]) {
        const call = decodeInferRequest(request({ [name]: flat }));
        expect(call.name).toBe("m");
        const read = call.tensors.get(name)!;
        expect({ ...read, data: [...read.data] }).toEqual({ ...ours, data: [...ours.data] });
        expect(read.data.constructor).toBe(ours.data.constructor);
      }
    },
  );

  test("many tensors, and what is said besides", () => {
    const tensors = Object.fromEntries(samples.map(([flat], i) => [`t${i}`, flat]));
    const call = decodeInferRequest(request(tensors, { extra: { bytes_outputs: "json", deep: { a: [1, null] } } }));
    expect([...call.tensors.keys()].sort()).toEqual(Object.keys(tensors).sort());
    expect(call.extra).toEqual({ bytes_outputs: "json", deep: { a: [1, null] } });
  });

  test("one-byte elements are not copied", () => {
    const bytes = request({
      x: { shape: [2n], tensor: { case: "uint8Tensor", value: { data: Uint8Array.of(1, 2) } } },
    });
    expect(decodeInferRequest(bytes).tensors.get("x")!.data.buffer).toBe(bytes.buffer);
  });

  test("numbers that are not packed, a name behind its tensor, fields that nobody knows", () => {
    // FlatTensor: 1 shape (one fixed64), 10 float_tensor { 1 data (two fixed32), 7 unknown varint }
    const shape = [0x09, 2, 0, 0, 0, 0, 0, 0, 0];
    const data = [0x0d, 0, 0, 0x80, 0x3f, 0x38, 5, 0x0d, 0, 0, 0, 0x40];
    const tensor = [...shape, 0x52, data.length, ...data];
    const entry = [0x12, tensor.length, ...tensor, 0x0a, 1, 0x78];
    const tensors = [0x0a, entry.length, ...entry];
    const bytes = Uint8Array.of(0x0a, 1, 0x6d, 0x10, 9, 0x1a, tensors.length, ...tensors);
    const call = decodeInferRequest(bytes);
    expect(call.tensors.get("x")).toEqual({ kind: "float32", shape: [2], data: Float32Array.of(1, 2) });
  });

  test("nothing at all", () => {
    expect(decodeInferRequest(new Uint8Array(0))).toEqual({ name: "", tensors: new Map(), extra: {} });
  });

  const entries = (...data: number[]): FlatTensor => ({
    shape: [1n],
    tensor: { case: "uint16Tensor", value: { data } },
  });
  test.each<[string, Uint8Array, RegExp]>([
    ["a tensor of no kind", request({ x: { shape: [1n] } }), /"x" has no data of any kind/],
    [
      "two numbers in an entry",
      request({ x: entries(1, 0x0002_0001) }),
      /Entry 1 of tensor "x" is 131073, which is no uint16/,
    ],
    [
      "an int16 that is too large",
      request({ x: { shape: [1n], tensor: { case: "int16Tensor", value: { data: [0x1_0000] } } } }),
      /Entry 0 of tensor "x" is 65536, which is no int16/,
    ],
    ["a dimension that cannot be", request({ x: { ...entries(1), shape: [2n ** 63n] } }), /Dimension 0 of tensor "x"/],
    ["bytes that are no message", Uint8Array.of(0x0a, 200, 1), /no InferRequest/],
    ["a message that ends too early", request({ x: entries(1, 2, 3) }).subarray(0, 20), /no InferRequest/],
  ])("%s is the caller's mistake", (_, bytes, sentence) => {
    const read = () => decodeInferRequest(bytes);
    expect(read).toThrow(sentence);
    expect(read).toThrow(ModuleError);
  });

  test("whatever the bytes are, they are read or refused", () => {
    const whole = request(Object.fromEntries(samples.map(([flat], i) => [`t${i}`, flat])), { extra: { a: 1 } });
    let seed = 7;
    const chance = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % below;
    };
    for (let i = 0; i < 2000; i++) {
      const bytes = whole.slice(0, chance(4) === 0 ? chance(whole.length) : whole.length);
      for (let j = chance(3); j >= 0 && bytes.length > 0; j--) bytes[chance(bytes.length)] = chance(256);
      try {
        decodeInferRequest(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(ModuleError);
      }
    }
  });
});

describe("a response", () => {
  test("is what the generated code writes", () => {
    const [flat, ours] = samples[1]!;
    const wanted = toBinary(
      InferResponseSchema,
      create(InferResponseSchema, { outputTensors: { tensors: { x: flat } } }),
    );
    expect([...encodeInferResponse(new Map([["x", ours]]))]).toEqual([...wanted]);
  });

  test("of all kinds is read by the generated code", () => {
    const ours = new Map(samples.map(([, tensor], i) => [`täns ${i}`, tensor]));
    const read = fromBinary(InferResponseSchema, new Uint8Array(encodeInferResponse(ours))).outputTensors!.tensors;
    const wanted = create(InferResponseSchema, {
      outputTensors: { tensors: Object.fromEntries(samples.map(([flat], i) => [`täns ${i}`, flat])) },
    }).outputTensors!.tensors;
    expect(JSON.stringify(read, bigints)).toEqual(JSON.stringify(wanted, bigints));
  });

  test("of many bytes, whose lengths take several", () => {
    const data = Uint8Array.from({ length: 300_000 }, (_, i) => i);
    const bytes = encodeInferResponse(new Map([["x", { kind: "uint8", shape: [300_000], data }]]));
    const tensor = fromBinary(InferResponseSchema, bytes).outputTensors!.tensors["x"]!.tensor;
    expect(Buffer.compare(tensor.value!.data as Uint8Array, data)).toBe(0);
  });

  test("of nothing", () => {
    expect(fromBinary(InferResponseSchema, encodeInferResponse(new Map())).outputTensors!.tensors).toEqual({});
  });
});

const bigints = (_: string, value: unknown) => (typeof value === "bigint" ? `${value}n` : value);
