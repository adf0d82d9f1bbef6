// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import {
  DATA_TYPES,
  dataTypeFromConfig,
  dataTypeInfo,
  dataTypeToConfig,
  elementByteSize,
  isDataType,
} from "./datatype.ts";

test("names stand at Triton's numbers", () => {
  // Written by hand, on purpose: these are the numbers of TRITONSERVER_DataType.
  const numbers = { BOOL: 1, UINT8: 2, UINT16: 3, UINT32: 4, UINT64: 5, INT8: 6, INT16: 7, INT32: 8, INT64: 9 };
  const more = { FP16: 10, FP32: 11, FP64: 12, BYTES: 13, BF16: 14 };
  expect(Object.fromEntries(DATA_TYPES.map((info) => [info.name, info.number]))).toEqual({ ...numbers, ...more });
});

test.each(DATA_TYPES.map((info) => [info.name, info] as const))("%s has an array of its element size", (name, info) => {
  expect(dataTypeInfo(name)).toBe(info);
  expect(info.array.BYTES_PER_ELEMENT).toBe(name === "BYTES" ? 1 : info.byteSize);
  expect(elementByteSize(name)).toBe(info.byteSize);
});

test("configuration names", () => {
  expect(dataTypeFromConfig("TYPE_STRING")).toBe("BYTES");
  expect(dataTypeFromConfig("TYPE_BF16")).toBe("BF16");
  expect(dataTypeToConfig("BYTES")).toBe("TYPE_STRING");
  expect(dataTypeToConfig("FP32")).toBe("TYPE_FP32");
  for (const wrong of ["TYPE_INVALID", "FP32", "TYPE_BYTES"]) {
    expect(() => dataTypeFromConfig(wrong)).toThrow(`'${wrong}' is not a datatype of a model configuration`);
  }
});

test("what is no datatype", () => {
  expect(isDataType("FP32")).toBe(true);
  expect(isDataType("TYPE_FP32")).toBe(false);
  expect(isDataType(11)).toBe(false);
  expect(() => dataTypeInfo("FLOAT")).toThrow("'FLOAT' is not a datatype. Use one of BOOL, UINT8");
});
