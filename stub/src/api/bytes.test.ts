// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import {
  countBytesElements,
  deserializeBytes,
  deserializeStrings,
  serializeBytes,
  serializeBytesInto,
  serializedByteLength,
} from "./bytes.ts";
import { isDefect } from "./errors.ts";

test("the form, byte by byte", () => {
  const data = serializeBytes(["ab", "", new Uint8Array([255]), "é"]);
  expect([...data]).toEqual([2, 0, 0, 0, 97, 98, 0, 0, 0, 0, 1, 0, 0, 0, 255, 2, 0, 0, 0, 0xc3, 0xa9]);
  expect(deserializeBytes(data).map((element) => [...element])).toEqual([[97, 98], [], [255], [0xc3, 0xa9]]);
  expect(countBytesElements(data)).toBe(4);
});

test("no elements", () => {
  expect(serializeBytes([]).length).toBe(0);
  expect(deserializeBytes(new Uint8Array())).toEqual([]);
  expect(deserializeStrings(new Uint8Array())).toEqual([]);
});

test.each([
  ["short ASCII", ["a", "", "hello", "twelve chars"]],
  ["long ASCII", ["x".repeat(13), "y".repeat(127), "z".repeat(128), "w".repeat(300)]],
  ["other alphabets", ["é", "日本語", "a", "😀", "\u0000", "\ufefftext", "naïve text that is longer"]],
  ["many", Array.from({ length: 1000 }, (_unused, i) => `item ${i}`)],
])("strings survive: %s", (_name, strings) => {
  const data = serializeBytes(strings);
  expect(deserializeStrings(data)).toEqual(strings);
  expect(serializedByteLength(strings)).toBe(data.length);
  // Also as a view in the middle of a buffer.
  const shifted = new Uint8Array(data.length + 7).subarray(3, 3 + data.length);
  shifted.set(data);
  expect(deserializeStrings(shifted)).toEqual(strings);
});

test("malformed UTF-8 becomes the replacement character", () => {
  expect(deserializeStrings(serializeBytes([new Uint8Array([0xff]), "a"]))).toEqual(["\ufffd", "a"]);
});

test("deserialized elements are views", () => {
  const data = serializeBytes(["ab"]);
  deserializeBytes(data)[0]![0] = 120;
  expect(deserializeStrings(data)).toEqual(["xb"]);
});

describe("malformed data", () => {
  const readers = { deserializeBytes, deserializeStrings, countBytesElements };

  test.each(Object.entries(readers))("%s refuses a length that is cut off", (_name, read) => {
    expect(() => read(new Uint8Array([1, 0, 0, 0, 97, 1, 0]))).toThrow(
      expect.objectContaining({
        code: "INVALID_ARG",
        message: expect.stringContaining("ends inside the length of element 1: expected 4 bytes at offset 5"),
      }),
    );
  });

  test.each(Object.entries(readers))("%s refuses an element that is cut off", (_name, read) => {
    expect(() => read(new Uint8Array([3, 0, 0, 0, 97]))).toThrow(
      "Element 0 of a BYTES tensor claims 3 bytes, but only 1",
    );
    // The length is unsigned.
    expect(() => read(new Uint8Array([255, 255, 255, 255, 97]))).toThrow("claims 4294967295 bytes");
  });
});

test("an element that is neither string nor bytes is refused", () => {
  expect(() => serializeBytes(["a", 5 as unknown as string])).toThrow(
    "Element 1 of a BYTES tensor is of type 'number'",
  );
  expect(() => serializeBytes([null as unknown as string])).toThrow("is of type 'null'");
  // It is the model's mistake, not the client's.
  expect(() => serializeBytes([null as unknown as string])).toThrow(expect.toSatisfy(isDefect));
});

describe("serializing in place", () => {
  test("starts at the offset and returns the end", () => {
    const target = new Uint8Array(20).fill(9);
    expect(serializeBytesInto(["ab", new Uint8Array([1])], target, 2)).toBe(13);
    expect([...target.subarray(0, 14)]).toEqual([9, 9, 2, 0, 0, 0, 97, 98, 1, 0, 0, 0, 1, 9]);
  });

  test.each([[["abc"]], [["abc", ""]], [["日本"]], [[new Uint8Array(9)]], [["", "", ""]]])(
    "fits exactly, and is refused with one byte less: %j",
    (elements) => {
      const size = serializedByteLength(elements);
      expect(serializeBytesInto(elements, new Uint8Array(size), 0)).toBe(size);
      expect(() => serializeBytesInto(elements, new Uint8Array(size - 1), 0)).toThrow("has no room for element");
    },
  );
});
