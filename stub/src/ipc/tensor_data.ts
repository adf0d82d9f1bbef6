// SPDX-License-Identifier: Apache-2.0
// The data of a tensor on its way into shared memory.
import { serializeBytesInto, serializedByteLength } from "../api/bytes.ts";
import { TritonError } from "../api/errors.ts";
import { type Tensor, unserializedElements } from "../api/tensor.ts";
import type { Region } from "./record.ts";

/** Bytes of the data as it lies in shared memory. */
export function dataBytes(tensor: Tensor): number {
  const elements = unserializedElements(tensor);
  if (elements !== undefined) return serializedByteLength(elements);
  const bytes = tensor.data.byteLength;
  if (bytes > 0 || tensor.elementCount === 0) return bytes;
  throw new TritonError(`The buffer of output '${tensor.name}' was transferred away, and with it the output's data.`);
}

export function copyData(region: Region, offset: number, tensor: Tensor): void {
  const elements = unserializedElements(tensor);
  if (elements !== undefined) {
    serializeBytesInto(elements, region.u8, offset);
    return;
  }
  const { buffer, byteOffset, byteLength } = tensor.data;
  if (byteLength === 0) return; // a view that was kept too long has a buffer that cannot be looked at
  region.u8.set(new Uint8Array(buffer, byteOffset, byteLength), offset);
}
