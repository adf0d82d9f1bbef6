// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { DATA_TYPES } from "../api/datatype.ts";
import { decodeElements, encodeElements, fitShape, nest, parseWritten } from "./tensor_values.ts";

describe("parseWritten", () => {
  it("reads lists, JSON and text", () => {
    expect(parseWritten("1, 2 3", "FP32", "x")).toEqual({ elements: ["1", "2", "3"], shape: [3], nested: false });
    expect(parseWritten("[[1,2],[3,4]]", "FP32", "x")).toEqual({ elements: [1, 2, 3, 4], shape: [2, 2], nested: true });
    expect(parseWritten("a, b", "BYTES", "x")).toEqual({ elements: ["a, b"], shape: [1], nested: false });
    expect(parseWritten('["a", "b"]', "BYTES", "x").elements).toEqual(["a", "b"]);
    expect(parseWritten("", "FP32", "x")).toEqual({ elements: [], shape: [0], nested: false });
  });

  it("keeps whole numbers beyond 2^53", () => {
    const { elements } = parseWritten("[9007199254740993]", "INT64", "x");
    expect(decodeElements(encodeElements(elements, "INT64", "x"), "INT64")).toEqual([9007199254740993n]);
  });

  it("refuses ragged lists, objects and broken JSON", () => {
    expect(() => parseWritten("[[1,2],[3]]", "FP32", "x")).toThrow(/ragged/);
    expect(() => parseWritten("[[1],2]", "FP32", "x")).toThrow(/ragged/);
    expect(() => parseWritten('[{"a":1}]', "FP32", "x")).toThrow(/holds \{"a":1\}/);
    expect(() => parseWritten("[1,", "FP32", "x")).toThrow(/not valid JSON/);
  });
});

describe("encodeElements and decodeElements", () => {
  it.each(DATA_TYPES.map(({ name }) => name))("%s goes there and back", (datatype) => {
    const written = datatype === "BYTES" ? ["a", "", "ö"] : datatype === "BOOL" ? ["true", "0"] : ["0", "1", "100"];
    const back = decodeElements(encodeElements(written, datatype, "x"), datatype);
    const wanted = datatype === "BYTES" ? written : datatype === "BOOL" ? [true, false] : [0, 1, 100];
    expect(back.map((element) => (typeof element === "bigint" ? Number(element) : element))).toEqual(wanted);
  });

  it("writes little-endian bytes", () => {
    expect([...encodeElements(["258"], "UINT16", "x")]).toEqual([2, 1]);
    expect([...encodeElements(["hi"], "BYTES", "x")]).toEqual([2, 0, 0, 0, 104, 105]);
    expect([...encodeElements([1], "FP16", "x")]).toEqual([0, 0x3c]);
  });

  it("reads bytes that start at an odd place, and text that is none as bytes", () => {
    const bytes = new Uint8Array([9, 0, 0, 128, 63]).subarray(1);
    expect(decodeElements(bytes, "FP32")).toEqual([1]);
    expect(decodeElements(new Uint8Array([1, 0, 0, 0, 255]), "BYTES")).toEqual([new Uint8Array([255])]);
    expect(decodeElements(encodeElements(["\uFEFFa"], "BYTES", "x"), "BYTES")).toEqual(["\uFEFFa"]);
  });

  it.each([
    ["256", "UINT8", /outside its range 0 to 255/],
    ["-129", "INT8", /outside its range -128 to 127/],
    ["1.5", "INT32", /not a whole number/],
    ["x", "FP32", /is not a number/],
    ["1.5", "INT64", /not a whole number/],
    ["18446744073709551616", "UINT64", /outside its range/],
    ["maybe", "BOOL", /neither true nor false/],
  ] as const)("refuses %s as %s", (text, datatype, sentence) => {
    expect(() => encodeElements([text], datatype, "x")).toThrow(sentence);
  });
});

describe("fitShape", () => {
  it("fills the one open dimension; the first of several is the batch", () => {
    expect(fitShape([-1], 7, "x")).toEqual([7]);
    expect(fitShape([-1, 4], 8, "x")).toEqual([2, 4]);
    expect(fitShape([-1, -1], 7, "x")).toEqual([1, 7]);
    expect(fitShape([2, 3], 6, "x")).toEqual([2, 3]);
    expect(fitShape([-1], 0, "x")).toEqual([0]);
  });

  it("refuses what does not fit or is not clear", () => {
    expect(() => fitShape([-1, 4], 7, "x")).toThrow(/7 elements do not fill/);
    expect(() => fitShape([2, 3], 5, "x")).toThrow(/do not fill/);
    expect(() => fitShape([-1, 3, -1, -1], 12, "x")).toThrow(/--shape x=/);
    expect(() => fitShape([3, -1, -1], 12, "x")).toThrow(/--shape x=/);
  });
});

describe("nest", () => {
  it("builds lists in the shape, with what JSON cannot hold as text", () => {
    expect(nest([1, 2, 3, 4, 5, 6], [3, 2])).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(nest([], [0, 4])).toEqual([]);
    expect(nest([], [2, 0])).toEqual([[], []]);
    expect(nest([Number.NaN, 2n ** 60n, 5n], [3])).toEqual(["NaN", "1152921504606846976", 5]);
    expect(nest([new Uint8Array([255])], [1])).toEqual([{ base64: "/w==" }]);
  });
});
