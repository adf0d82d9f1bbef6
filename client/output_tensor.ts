// SPDX-License-Identifier: Apache-2.0
// Tensors made of what a server answered, which is checked: it may be another program's answer.
import { countBytesElements, serializeBytes } from "../stub/src/api/bytes.ts";
import { type DataType, dataTypeInfo, isDataType, type TensorData } from "../stub/src/api/datatype.ts";
import { TritonError } from "../stub/src/api/errors.ts";
import { lazyTensor, type Tensor, trustedTensor } from "../stub/src/api/tensor.ts";
import { checkedElementCount } from "../stub/src/api/tensor_checks.ts";
import { CallerMistake, described } from "./client_error.ts";
import type { SharedMemoryRange } from "./memory_place.ts";

/** An output as a server describes it. */
export interface OutputHead {
  readonly name: string;
  readonly datatype: string;
  readonly shape: number[];
}

/** @throws Error with what is wrong, as the end of a sentence */
export function checkedHead({ name, datatype, shape }: OutputHead): { datatype: DataType; elementCount: number } {
  if (!isDataType(datatype))
    throw new Error(`output '${name}' has the datatype '${datatype}', which is not known here`);
  return { datatype, elementCount: checkedElementCount(name, shape) };
}

/** The array of a datatype over raw bytes: a view, or a copy where they lie across its elements. */
export function arrayOver(datatype: DataType, bytes: Uint8Array): TensorData {
  const { array, byteSize } = dataTypeInfo(datatype);
  if (byteSize <= 1) return new array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isAligned = bytes.byteOffset % byteSize === 0;
  // Not bytes.slice(): that of Node's Buffer is a view.
  const source = isAligned ? bytes : new Uint8Array(bytes);
  return new array(source.buffer, source.byteOffset, source.byteLength / byteSize);
}

/**
 * An output of raw little-endian bytes; BYTES in their serialized form. The data is a view on them where it can be.
 *
 * @throws Error with what is wrong, as the end of a sentence
 */
export function rawOutput(head: OutputHead, bytes: Uint8Array): Tensor {
  const { datatype, elementCount } = checkedHead(head);
  const { name, shape } = head;
  if (datatype === "BYTES") {
    const found = countBytesElements(bytes);
    if (found !== elementCount) {
      throw new Error(`output '${name}' of shape [${shape.join(", ")}] holds ${found} elements of BYTES`);
    }
  } else if (bytes.byteLength !== elementCount * dataTypeInfo(datatype).byteSize) {
    throw new Error(
      `output '${name}' is ${datatype} of shape [${shape.join(", ")}], but ${bytes.byteLength} bytes came for it`,
    );
  }
  return trustedTensor(name, datatype, shape, arrayOver(datatype, bytes));
}

/**
 * An output that the server wrote into memory, which may be longer than the output.
 *
 * @throws CallerMistake when the memory was closed meanwhile
 * @throws Error with what is wrong, as the end of a sentence
 */
export function placedOutput(head: OutputHead, range: SharedMemoryRange): Tensor {
  const { datatype, elementCount } = checkedHead(head);
  const { bytes } = range;
  if (bytes === undefined) return unreadableOutput(head, datatype, range);
  if (bytes.byteLength < range.byteLength) {
    throw new CallerMistake(
      `the shared memory '${range.region.name}' was closed while the call was open, and output '${head.name}' lies in it. ` +
        "Close it when the call has ended.",
    );
  }
  const length =
    datatype === "BYTES" ? serializedLength(bytes, elementCount) : elementCount * dataTypeInfo(datatype).byteSize;
  if (length > bytes.byteLength) {
    throw new Error(`output '${head.name}' has ${length} bytes, but its shared memory has ${bytes.byteLength} only`);
  }
  return rawOutput(head, bytes.subarray(0, length));
}

/** An output that the server wrote where this process cannot read it. */
function unreadableOutput(head: OutputHead, datatype: DataType, { region }: SharedMemoryRange): Tensor {
  const inputData = (): never => {
    throw new TritonError(
      `The data of output '${head.name}' lies in the shared memory '${region.name}', which is not mapped here. ` +
        "Open it with SharedMemory.open(), and request the output in a range of that.",
      "UNAVAILABLE",
    );
  };
  return lazyTensor(head.name, datatype, head.shape, { inputData }, 0);
}

/** The bytes of the first elements of BYTES. */
function serializedLength(bytes: Uint8Array, elementCount: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  for (let i = 0; i < elementCount && at + 4 <= bytes.byteLength; i++) at += 4 + view.getUint32(at, true);
  return at;
}

/**
 * An output of elements that came one by one: booleans, numbers, bigints, strings or byte arrays.
 *
 * @throws Error with what is wrong, as the end of a sentence
 */
export function listedOutput(head: OutputHead, elements: ArrayLike<unknown>): Tensor {
  const { datatype, elementCount } = checkedHead(head);
  const { name, shape } = head;
  if (elements.length !== elementCount) {
    throw new Error(`output '${name}' of shape [${shape.join(", ")}] came with ${elements.length} elements`);
  }
  if (datatype === "FP16" || datatype === "BF16") {
    throw new Error(`output '${name}' is ${datatype}, whose elements can only come as raw bytes`);
  }
  if (datatype === "BYTES") {
    for (let i = 0; i < elements.length; i++) {
      const element = elements[i];
      if (typeof element !== "string" && !(element instanceof Uint8Array)) throw notOf(head, element, i);
    }
    return trustedTensor(name, datatype, shape, serializeBytes(elements as unknown as (string | Uint8Array)[]));
  }
  const { array } = dataTypeInfo(datatype);
  const data = new array(elements.length);
  const fill = FILLS[datatype] ?? fillIntegers;
  const wrong = fill(data as never, elements);
  if (wrong < elements.length) throw notOf(head, elements[wrong], wrong);
  return trustedTensor(name, datatype, shape, data);
}

/** Where elements are not whole numbers of 32 bits at most. */
const FILLS: { readonly [D in DataType]?: (data: never, elements: ArrayLike<unknown>) => number } = {
  BOOL: fillBooleans,
  FP32: fillFloats,
  FP64: fillFloats,
  INT64: fillBigInts,
  UINT64: fillBigInts,
};

// Each writes elements as long as they are of the datatype, and gives the index of the first that is not.
// Loops of their own, for large arrays: a function that is called for each element takes several times as long.

function fillIntegers(data: Int32Array, elements: ArrayLike<unknown>): number {
  let i = 0;
  for (; i < elements.length; i++) {
    const element = elements[i] as number;
    data[i] = element;
    // What the array cannot hold comes back as something else.
    if (data[i] !== element) break;
  }
  return i;
}

function fillBooleans(data: Uint8Array, elements: ArrayLike<unknown>): number {
  let i = 0;
  for (; i < elements.length; i++) {
    const element = elements[i];
    if (element === true || element === 1) data[i] = 1;
    else if (element !== false && element !== 0) break;
  }
  return i;
}

function fillFloats(data: Float64Array, elements: ArrayLike<unknown>): number {
  let i = 0;
  for (; i < elements.length; i++) {
    const element = elements[i];
    if (typeof element !== "number") break;
    data[i] = element;
  }
  return i;
}

function fillBigInts(data: BigInt64Array, elements: ArrayLike<unknown>): number {
  let i = 0;
  for (; i < elements.length; i++) {
    const element = elements[i] as number | bigint;
    if (typeof element !== "bigint" && !Number.isSafeInteger(element)) break;
    const wanted = BigInt(element);
    data[i] = wanted;
    if (data[i] !== wanted) break;
  }
  return i;
}

/** The error for an element that is none of its datatype, as the end of a sentence. */
function notOf({ name, datatype }: OutputHead, element: unknown, at: number): Error {
  if (typeof element === "number" && Math.abs(element) > Number.MAX_SAFE_INTEGER && /64$/.test(datatype)) {
    return new Error(`output '${name}' has numbers beyond 2^53, which lose digits in JSON: ask for it as binary`);
  }
  return new Error(`element ${at} of output '${name}' should be ${datatype}, but is ${described(element)}`);
}

/** The bytes of a tensor as they travel. */
export function rawBytes(tensor: Tensor): Uint8Array {
  const { data } = tensor;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
