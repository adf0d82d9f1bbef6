// SPDX-License-Identifier: Apache-2.0
// Tensors for the fixture "identity", which has an input INPUT_<datatype> and an output OUTPUT_<datatype> of each datatype.
import { type Datatype, type NumericDatatype, tensor, type WireTensor } from "./tensors.ts";

/** Values at the edges of each datatype; FP16 and BF16 are raw. */
const edges: Record<NumericDatatype, readonly number[] | readonly bigint[]> = {
  BOOL: [0, 1, 1, 0, 1],
  INT8: [-128, -1, 0, 1, 127],
  INT16: [-32768, -1, 0, 1, 32767],
  INT32: [-(2 ** 31), -1, 0, 1, 2 ** 31 - 1],
  INT64: [-(2n ** 63n), -1n, 0n, 2n ** 53n + 1n, 2n ** 63n - 1n],
  UINT8: [0, 1, 254, 255],
  UINT16: [0, 1, 65534, 65535],
  UINT32: [0, 1, 2 ** 31, 2 ** 32 - 1],
  UINT64: [0n, 1n, 2n ** 53n + 1n, 2n ** 64n - 1n],
  FP16: [0x0000, 0x8000, 0x3c00, 0x7bff, 0x0001, 0x7c00, 0xfc00],
  BF16: [0x0000, 0x8000, 0x3f80, 0x7f7f, 0x0080, 0x7f80, 0xff80],
  FP32: [0, -0, 1.5, 3.4028234663852886e38, 1.401298464324817e-45, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  FP64: [0, -0, 1.5, Number.MAX_VALUE, Number.MIN_VALUE, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
};

const odd = [
  "",
  "a",
  "zwölf",
  "日本語 🚦",
  "line\nbreak\0nul",
  "x".repeat(100_000),
  new Uint8Array([0xff, 0xfe, 0, 0x80]),
];

/** An input of the fixture. */
export const identityInput = (datatype: Datatype, ...rest: [Parameters<typeof tensor>[2], number[]?]): WireTensor =>
  tensor(`INPUT_${datatype}`, datatype, ...rest);

/** The same tensor under the output's name. */
export const identityOutput = (sent: WireTensor): WireTensor => ({
  ...sent,
  name: sent.name.replace("INPUT", "OUTPUT"),
});

/** An input of each datatype, with values at its edges. */
export const identitySamples: readonly [Datatype, WireTensor][] = [
  ...Object.entries(edges).map(([datatype, data]): [Datatype, WireTensor] => [
    datatype as Datatype,
    identityInput(datatype as Datatype, data),
  ]),
  ["BYTES", identityInput("BYTES", odd)],
];
