// SPDX-License-Identifier: Apache-2.0
import { type DataType, type InferenceResponse, Tensor, type TritonError } from "triton-typescript";
import { describe, expect, test } from "vitest";
import { fakeRequest } from "./testing/fake_request.ts";
import { load } from "./testing/load_model.ts";
import { onnxFile } from "./testing/onnx_file.ts";

const samples: Record<Exclude<DataType, "BF16">, Tensor["data"] | string[]> = {
  BOOL: Uint8Array.of(1, 0, 1),
  INT8: Int8Array.of(-128, 0, 127),
  INT16: Int16Array.of(-32768, 0, 32767),
  INT32: Int32Array.of(-2147483648, 0, 2147483647),
  INT64: BigInt64Array.of(-9223372036854775808n, 0n, 9223372036854775807n),
  UINT8: Uint8Array.of(0, 1, 255),
  UINT16: Uint16Array.of(0, 1, 65535),
  UINT32: Uint32Array.of(0, 1, 4294967295),
  UINT64: BigUint64Array.of(0n, 1n, 18446744073709551615n),
  FP16: Uint16Array.of(0x3c00, 0xc000, 0x7bff),
  FP32: Float32Array.of(-1.5, 0, 3.25),
  FP64: Float64Array.of(-1.5, 0, 1e300),
  BYTES: ["", "abc", "Größe 漢字"],
};

describe.each(Object.keys(samples) as (keyof typeof samples)[])("type %s", (type) => {
  const file = onnxFile(
    [{ op: "Identity", inputs: ["IN"], outputs: ["OUT"] }],
    [{ name: "IN", type, shape: ["n", 3] }],
    [{ name: "OUT", type, shape: ["n", 3] }],
  );
  const tensor = (shape: number[]) => {
    const data = samples[type]!;
    const rows = Array.isArray(data) || shape[0] !== 0 ? data : data.subarray(0, 0);
    return new Tensor("IN", (shape[0] === 0 ? rows.slice(0, 0) : rows) as string[], shape, type as "BYTES");
  };

  test("passes one request, several at once, and no element at all", async () => {
    const { model } = await load(file);
    const expected = tensor([1, 3]);
    const check = (answer: unknown, shape: number[]) => {
      const out = (answer as InferenceResponse).output("OUT")!;
      expect(out.datatype).toBe(type);
      expect(out.shape).toEqual(shape);
      if (shape[0] === 0) expect(out.elementCount).toBe(0);
      else if (type === "BYTES") expect(out.strings()).toEqual(expected.strings());
      else
        expect(Array.from(out.data as unknown as Float32Array)).toEqual(
          Array.from(expected.data as unknown as Float32Array),
        );
    };
    const [single] = await model.execute([fakeRequest([tensor([1, 3])])]);
    check(single, [1, 3]);
    for (const answer of await model.execute([fakeRequest([tensor([1, 3])]), fakeRequest([tensor([1, 3])])])) {
      check(answer, [1, 3]);
    }
    const [empty] = await model.execute([fakeRequest([tensor([0, 3])])]);
    check(empty, [0, 3]);
    await model.finalize();
  });
});

describe("strings", () => {
  const file = onnxFile(
    [{ op: "Identity", inputs: ["IN"], outputs: ["OUT"] }],
    [{ name: "IN", type: "BYTES", shape: ["n", 2] }],
    [{ name: "OUT", type: "BYTES", shape: ["n", 2] }],
  );
  const request = (...elements: (string | Uint8Array)[]) => {
    const shape = [elements.length / 2, 2];
    // Serialized, as it comes from a client.
    return fakeRequest([new Tensor("IN", new Tensor("IN", elements, shape, "BYTES").data, shape, "BYTES")]);
  };

  test("arrive as the bytes that were sent", async () => {
    const { model } = await load(file);
    const odd = ["\ufeffmark", "\ufffd", "", "a\r\n", "\u{10ffff}", "é"];
    const [answer] = await model.execute([request(...odd)]);
    const bytes = (answer as InferenceResponse).output("OUT")!.bytes();
    expect(bytes.map((element) => Buffer.from(element).toString("hex"))).toEqual(
      odd.map((element) => Buffer.from(element).toString("hex")),
    );
    await model.finalize();
  });

  test.each([
    ["Latin-1", Uint8Array.of(0xe9, 0x74, 0xe9), "is not UTF-8"],
    ["half a letter", Uint8Array.of(0x61, 0xe6, 0xbc), "is not UTF-8"],
    ["a surrogate", Uint8Array.of(0xed, 0xa0, 0x80), "is not UTF-8"],
    ["a zero byte", Uint8Array.of(0x61, 0, 0x62), "holds a zero byte"],
  ])("that would not are refused, for their request alone: %s", async (_what, bytes, cause) => {
    const { model } = await load(file);
    const [good, bad] = await model.execute([request("a", "b"), request("\ufffd", bytes)]);
    expect((good as InferenceResponse).output("OUT")!.strings()).toEqual(["a", "b"]);
    expect((bad as TritonError).code).toBe("INVALID_ARG");
    expect((bad as TritonError).message).toContain(`Model 'm': element 1 of input 'IN' ${cause}`);
    await model.finalize();
  });
});
