// SPDX-License-Identifier: Apache-2.0
import { countBytesElements } from "./bytes.ts";
import { DATA_TYPES, type DataType, dataTypeInfo, type TensorData, UNTOLD_DATA_TYPES } from "./datatype.ts";
import { defect, type TritonError } from "./errors.ts";
import { kindName, typeName } from "./value_words.ts";

const UNTOLD: ReadonlySet<DataType> = new Set(UNTOLD_DATA_TYPES);

/** The datatype that each kind of typed array stands for when none is said. */
const DATATYPE_BY_ARRAY: ReadonlyMap<string, DataType> = new Map([
  ...DATA_TYPES.filter(({ name }) => !UNTOLD.has(name)).map(({ name, array }) => [array.name, name] as const),
  ["Float16Array", "FP16"],
]);

const ARRAY_BY_DATATYPE = Object.fromEntries(DATA_TYPES.map((info) => [info.name, info.array.name])) as Readonly<
  Record<DataType, string>
>;

/** What kind of data something is: `Float32Array`, `an array of string`, `a number`, `undefined`. */
function kindOf(data: unknown): string {
  if (!Array.isArray(data)) return kindName(data);
  const [first] = data as unknown[];
  return data.length === 0 ? "an empty array" : `an array of ${Array.isArray(first) ? kindOf(first) : typeName(first)}`;
}

/** @throws TritonError INTERNAL when the name of a tensor is not a string or empty */
export function checkName(name: unknown): void {
  if (typeof name !== "string" || name === "") {
    throw defect(
      `A tensor needs a name that is a string and not empty, but got ${name === "" ? "an empty one" : kindOf(name)}. ` +
        "Give the name of the model's input or output.",
    );
  }
}

/** The number of elements in a shape whose dimensions are known to be sound. */
export function elementCountOf(shape: readonly number[]): number {
  let count = 1;
  for (let i = 0; i < shape.length; i++) count *= shape[i]!;
  return count;
}

/**
 * The number of elements in `shape`.
 *
 * @param where the call that has the shape as its third argument, for who left it out
 * @throws TritonError INTERNAL when `shape` is not an array of whole numbers of at least 0
 */
export function checkedElementCount(name: string, shape: readonly number[], where?: string): number {
  if (!Array.isArray(shape)) {
    const hint = shape === undefined && where !== undefined ? ` Give it as third argument: ${where}.` : "";
    throw defect(`The shape of tensor '${name}' must be an array of numbers, but is ${kindOf(shape)}.${hint}`);
  }
  let count = 1;
  for (let i = 0; i < shape.length; i++) {
    const dimension = shape[i] as number;
    if (!Number.isSafeInteger(dimension) || dimension < 0) {
      throw defect(
        `Dimension ${i} of tensor '${name}' is ${String(dimension)}. Each dimension must be a whole number of at least 0.`,
      );
    }
    count *= dimension;
  }
  if (!Number.isSafeInteger(count)) {
    throw defect(`The shape [${shape.join(", ")}] of tensor '${name}' has more elements than can be addressed.`);
  }
  return count;
}

/**
 * The datatype that an array stands for by its kind. An empty plain array counts as BYTES, as an empty `string[]` would.
 *
 * @throws TritonError INTERNAL when the kind of array is none that a tensor can hold
 */
export function inferDatatype(name: string, data: unknown): DataType {
  if (ArrayBuffer.isView(data)) {
    const found = DATATYPE_BY_ARRAY.get((data as unknown as { [Symbol.toStringTag]: string })[Symbol.toStringTag]);
    if (found !== undefined) return found;
  } else if (Array.isArray(data)) {
    const first: unknown = data[0];
    if (data.length === 0 || typeof first === "string" || first instanceof Uint8Array) return "BYTES";
    if (typeof first === "boolean") return "BOOL";
  }
  throw defect(
    `Tensor '${name}' cannot be made of ${kindOf(data)}. ` +
      "Give a typed array, such as new Float32Array([...]), or an array of strings, Uint8Arrays or booleans.",
  );
}

function checkLength(name: string, shape: readonly number[], wanted: number, given: number): void {
  if (wanted !== given) {
    throw defect(
      `The shape [${shape.join(", ")}] of tensor '${name}' has ${wanted} elements, but its data has ${given}.`,
    );
  }
}

function wrongKind(name: string, datatype: DataType, data: unknown): TritonError {
  const also = { BOOL: " or an array of booleans", BYTES: " or an array of strings or Uint8Arrays" };
  return defect(
    `Tensor '${name}' of datatype ${datatype} cannot be made of ${kindOf(data)}. ` +
      `Give ${ARRAY_BY_DATATYPE[datatype].startsWith("I") ? "an" : "a"} ${ARRAY_BY_DATATYPE[datatype]}` +
      `${also[datatype as "BOOL" | "BYTES"] ?? ""}, or another datatype.`,
  );
}

function countElements(name: string, data: Uint8Array): number {
  try {
    return countBytesElements(data);
  } catch (error) {
    const { message } = error as TritonError;
    throw defect(`The data of tensor '${name}' of datatype BYTES is not serialized: ${message}`, { cause: error });
  }
}

/**
 * Checks a typed array against datatype and shape. A `Float16Array` comes back as a `Uint16Array` on the same bytes.
 *
 * @throws TritonError INTERNAL when the kind of array or its number of elements is wrong
 */
export function checkTypedArray(
  name: string,
  data: ArrayBufferView,
  shape: readonly number[],
  elementCount: number,
  datatype: DataType,
): TensorData {
  const tag = (data as unknown as { [Symbol.toStringTag]: string })[Symbol.toStringTag];
  let typed = data as TensorData;
  if (tag !== ARRAY_BY_DATATYPE[datatype]) {
    if (tag !== "Float16Array" || datatype !== "FP16") throw wrongKind(name, datatype, data);
    typed = new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
  }
  const given = datatype === "BYTES" ? countElements(name, typed as Uint8Array) : typed.length;
  checkLength(name, shape, elementCount, given);
  return typed;
}

/**
 * Turns an array of booleans into one byte per element.
 *
 * @throws TritonError INTERNAL when an element is not a boolean or the number of elements is wrong
 */
export function booleansToBytes(
  name: string,
  data: readonly unknown[],
  shape: readonly number[],
  elementCount: number,
): Uint8Array {
  checkLength(name, shape, elementCount, data.length);
  const bytes = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const element = data[i];
    if (typeof element !== "boolean") {
      throw defect(`Element ${i} of tensor '${name}' of datatype BOOL is ${kindOf(element)}. Give true or false.`);
    }
    bytes[i] = element ? 1 : 0;
  }
  return bytes;
}

/**
 * Checks the elements of a BYTES tensor that are not serialized yet.
 *
 * @throws TritonError INTERNAL when an element is neither a string nor a Uint8Array or their number is wrong
 */
export function checkElements(
  name: string,
  data: readonly unknown[],
  shape: readonly number[],
  elementCount: number,
): readonly (string | Uint8Array)[] {
  checkLength(name, shape, elementCount, data.length);
  for (let i = 0; i < data.length; i++) {
    const element = data[i];
    if (typeof element !== "string" && !(element instanceof Uint8Array)) {
      throw defect(
        `Element ${i} of tensor '${name}' of datatype BYTES is ${kindOf(element)}. Give a string or a Uint8Array.`,
      );
    }
  }
  return data as readonly (string | Uint8Array)[];
}

/** @throws TritonError INTERNAL always: a plain array cannot hold elements of `datatype` */
export function refusePlainArray(name: string, data: unknown, datatype: string): never {
  throw wrongKind(name, dataTypeInfo(datatype).name, data);
}
