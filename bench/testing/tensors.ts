// SPDX-License-Identifier: Apache-2.0
// Tensors for tests of answers.

import type { WireTensor } from "../wire.ts";

/** The output OUT of FP32. */
export const floats = (values: number[], shape = [values.length]): WireTensor => ({
  name: "OUT",
  datatype: "FP32",
  shape,
  data: new Uint8Array(Float32Array.from(values).buffer),
});

/** The output OUT of INT64. */
export const integers = (values: bigint[]): WireTensor => ({
  name: "OUT",
  datatype: "INT64",
  shape: [values.length],
  data: new Uint8Array(BigInt64Array.from(values).buffer),
});
