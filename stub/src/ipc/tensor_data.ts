// SPDX-License-Identifier: Apache-2.0
// The data of a tensor on its way into shared memory.
import { serializeBytesInto, serializedByteLength } from "../api/bytes.ts";
import type { TensorData } from "../api/datatype.ts";
import { defect } from "../api/errors.ts";
import { type Tensor, unserializedElements } from "../api/tensor.ts";
import { type Dtype, dtypeOfName } from "./dtype.ts";
import type { Region } from "./record.ts";

/** What a tensor holds, read once: a model may change what its tensor says at any time. */
export interface Content {
  readonly name: string;
  /** As it lies in shared memory. */
  readonly bytes: number;
  /** A view, or the elements of a BYTES tensor that nobody has serialized yet. */
  readonly data: TensorData | readonly (string | Uint8Array)[];
  /** The kind of array that views of this datatype are. */
  readonly array: Dtype["array"];
}

export function contentOf(tensor: Tensor): Content {
  const { name } = tensor;
  const { array } = dtypeOfName(tensor.datatype);
  const elements = unserializedElements(tensor);
  if (elements !== undefined) return { name, bytes: serializedByteLength(elements), data: elements, array };
  const { data } = tensor;
  const bytes = data.byteLength;
  if (bytes > 0 || tensor.elementCount === 0) return { name, bytes, data, array };
  throw defect(`The buffer of tensor '${name}' was transferred away or disposed of, and with it the tensor's data.`);
}

/** @throws TritonError INTERNAL when the data has not the size any more that it had when it was read */
export function copyContent(region: Region, offset: number, { name, bytes, data, array }: Content): void {
  if (bytes === 0) return; // a view that was kept too long has a buffer that cannot be looked at
  if (ArrayBuffer.isView(data)) {
    if (data.byteLength !== bytes) throw changed(name);
    // By an array of the same kind: to ask a small array for its buffer takes longer than all the rest, as V8 makes it only
    // then.
    new array(region.buffer, offset, bytes / array.BYTES_PER_ELEMENT).set(data as never);
    return;
  }
  const room = new Uint8Array(region.buffer, offset, bytes);
  if (serializeBytesInto(data, room, 0) !== bytes) throw changed(name);
}

function changed(name: string): Error {
  return defect(`The data of tensor '${name}' changed its size while it was sent.`);
}
