// SPDX-License-Identifier: Apache-2.0
// Which tensors lie in memory that a server may have mapped, too. Knows nothing of how such memory is made, so that the
// clients need no part of it.
import type { DataType } from "../stub/src/api/datatype.ts";
import type { Tensor } from "../stub/src/api/tensor.ts";

/** Memory that can be registered with a server: made by `SharedMemory`, or described by hand. */
export interface SharedMemoryRegion {
  /** The name under which it is registered. */
  readonly name: string;
  /** The name for shm_open, with its slash. */
  readonly key: string;
  readonly byteSize: number;
  /** Where in the memory of that key the region begins; 0 when left out. */
  readonly offset?: number | undefined;
}

/** A range of a region. */
export interface SharedMemoryRange {
  readonly region: SharedMemoryRegion;
  readonly offset: number;
  readonly byteLength: number;
  /** The range as bytes; undefined where this process has not mapped it, so that an answer in it cannot be read. */
  readonly bytes?: Uint8Array | undefined;
}

const ranges = new WeakMap<Tensor, SharedMemoryRange>();

/** Notes that the data of a tensor is such a range. */
export function placeTensor<D extends DataType>(tensor: Tensor<D>, range: SharedMemoryRange): Tensor<D> {
  ranges.set(tensor as unknown as Tensor, range);
  return tensor;
}

/** The range that the data of a tensor is; undefined for one whose data lies elsewhere. */
export function rangeOf(tensor: Tensor): SharedMemoryRange | undefined {
  return ranges.get(tensor);
}
