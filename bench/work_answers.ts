// SPDX-License-Identifier: Apache-2.0
// How far the answers of two models of the work part may differ.

import type { WireTensor } from "./wire.ts";

/** How far two answers may differ; nothing at all where a limit is not given. */
export interface Tolerance {
  /** Largest difference of one element. */
  largest?: number;
  /** Mean of the differences. */
  mean?: number;
}

/** Says what is different beyond the tolerance, or nothing. */
export function difference(
  ours: WireTensor,
  theirs: WireTensor,
  { largest = 0, mean = largest }: Tolerance,
): string | undefined {
  if (ours.datatype !== theirs.datatype || ours.shape.join() !== theirs.shape.join()) {
    return `${ours.name} is ${ours.datatype} [${ours.shape}] in one and ${theirs.datatype} [${theirs.shape}] in the other`;
  }
  const [a, b] = [elements(ours), elements(theirs)];
  let most = 0;
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const apart = Math.abs(a[i]! - b[i]!);
    if (Number.isNaN(apart)) return `${ours.name} holds a value that is no number at element ${i}`;
    most = Math.max(most, apart);
    sum += apart;
  }
  if (most > largest) return `one element of ${ours.name} differs by ${most}, which is more than ${largest}`;
  if (sum > mean * a.length) return `${ours.name} differs by ${sum / a.length} in the mean, which is more than ${mean}`;
  return undefined;
}

function elements({ name, datatype, data }: WireTensor): ArrayLike<number> {
  if (datatype === "FP32") return new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4);
  if (datatype === "INT64")
    return Array.from(new BigInt64Array(data.buffer, data.byteOffset, data.byteLength / 8), Number);
  throw new Error(`The output ${name} is ${datatype}; only FP32 and INT64 are compared.`);
}
