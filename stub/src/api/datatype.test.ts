// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import {
  createView,
  DATA_TYPES,
  dataTypeFromConfig,
  dataTypeInfo,
  dataTypeInfoByNumber,
  dataTypeToConfig,
  elementByteSize,
  isDataType,
} from "./datatype.ts";

test("names stand at Triton's numbers", () => {
  // Written by hand, on purpose: these are the numbers of TRITONSERVER_DataType.
  const numbers = { BOOL: 1, UINT8: 2, UINT16: 3, UINT32: 4, UINT64: 5, INT8: 6, INT16: 7, INT32: 8, INT64: 9 };
  const more = { FP16: 10, FP32: 11, FP64: 12, BYTES: 13, BF16: 14 };
  expect(Object.fromEntries(DATA_TYPES.map((info) => [info.name, info.number]))).toEqual({ ...numbers, ...more });
  for (const info of DATA_TYPES) expect(dataTypeInfoByNumber(info.number)).toBe(info);
});

test.each(DATA_TYPES.map((info) => [info.name, info] as const))("%s has an array of its element size", (name, info) => {
  expect(dataTypeInfo(name)).toBe(info);
  expect(info.array.BYTES_PER_ELEMENT).toBe(name === "BYTES" ? 1 : info.byteSize);
  expect(elementByteSize(name)).toBe(info.byteSize);
  const view = createView(info.number, new ArrayBuffer(32), 8, 16);
  expect(view).toBeInstanceOf(info.array);
  expect([view.byteOffset, view.byteLength]).toEqual([8, 16]);
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
  expect(() => dataTypeInfoByNumber(0)).toThrow("0 is not the number of a tensor datatype");
  expect(() => dataTypeInfoByNumber(15)).toThrow("15 is not the number");
  expect(() => createView(15, new ArrayBuffer(8), 0, 8)).toThrow("15 is not the number");
});
