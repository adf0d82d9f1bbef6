// SPDX-License-Identifier: Apache-2.0
import { deserializeBytes, deserializeStrings, serializeBytes, serializedByteLength } from "./bytes.ts";
import {
  type DataType,
  dataTypeInfo,
  elementByteSize,
  type TensorData,
  type TensorDataMap,
  type UntoldDataType,
} from "./datatype.ts";
import { defect, TritonError } from "./errors.ts";
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "./float16.ts";
import { noteOrigin } from "./origin.ts";
import {
  booleansToBytes,
  checkElements,
  checkedElementCount,
  checkName,
  checkTypedArray,
  elementCountOf,
  inferDatatype,
  refusePlainArray,
} from "./tensor_checks.ts";
import { itemOf, type TensorItem } from "./tensor_item.ts";

/** The built-in `Float16Array`, described by what is used of it: not every library of types declares it. */
export interface Float16ArrayLike {
  readonly buffer: ArrayBufferLike;
  readonly byteOffset: number;
  readonly length: number;
  readonly [Symbol.toStringTag]: "Float16Array";
}

/** Other forms in which the data of some datatypes may be given. */
interface ConvertedInputMap {
  BOOL: readonly boolean[];
  FP16: Float16ArrayLike;
  BYTES: readonly (string | Uint8Array)[];
}

/** What a tensor of datatype `D` may be made of. */
export type TensorInput<D extends DataType = DataType> =
  | TensorDataMap[D]
  | (D extends keyof ConvertedInputMap ? ConvertedInputMap[D] : never);

/** The arrays that tell their datatype by themselves. */
interface InferredInputMap extends Omit<TensorDataMap, UntoldDataType>, ConvertedInputMap {
  BF16: never;
}

/** The typed arrays among them. */
type TypedInputMap = Omit<InferredInputMap, "BOOL" | "BYTES"> & { BOOL: never; BYTES: never };

/** What a tensor of datatype `D` may be made of when the datatype is not said. */
export type InferredTensorInput<D extends DataType = DataType> = InferredInputMap[D];

/** The datatypes that `fromFloat32` makes and `toFloat32` reads. */
export type FloatDataType = "FP16" | "BF16" | "FP32";

/** Where the runtime keeps the bytes of a tensor: a shared region and a range in it. */
export interface TensorPlace {
  readonly region: number;
  readonly offset: number;
  readonly byteLength: number;
}

/** Gives the data of an input when it is read for the first time. */
export interface TensorSource {
  /** @param name the tensor's, for errors */
  inputData(index: number, name: string): TensorData;
}

/** Marks a constructor call of the runtime, whose arguments are sound and whose shape is the tensor's own. */
const TRUSTED = Symbol("trusted");

let readPlace: (tensor: Tensor) => TensorPlace | undefined;
let readSource: (tensor: Tensor) => { source: TensorSource; index: number } | undefined;
let readUnserialized: (tensor: Tensor) => readonly (string | Uint8Array)[] | undefined;

/**
 * A named array with a datatype and a shape.
 *
 * The data of an input, and of an output made by `request.allocateOutput`, is a view on memory that is shared with the
 * server. It is valid until the request is answered; afterwards the memory is used again, so `clone()` what must stay.
 */
export class Tensor<D extends DataType = DataType> {
  readonly name: string;
  readonly datatype: D;
  /** The dimensions, the batch dimension first where the model has one. */
  readonly shape: number[];
  /** The product of the dimensions: 1 for the shape `[]`, 0 where a dimension is 0. */
  readonly elementCount: number;

  #data: TensorData | undefined;
  /** BYTES only: the elements as they were given, or as `bytes()` found them. */
  #elements: readonly (string | Uint8Array)[] | undefined;
  /** BYTES only: what `strings()` found. */
  #strings: string[] | undefined;
  #source: TensorSource | undefined;
  #index: number;
  #place: TensorPlace | undefined;

  /**
   * @param name the name of the input or output
   * @param data a typed array of the datatype's kind; also strings or `Uint8Array`s for BYTES, booleans for BOOL and a
   *   `Float16Array` for FP16. A typed array is not copied.
   * @param shape the dimensions, whole numbers of at least 0; their product is the number of elements
   * @param datatype needed where the array does not tell it: FP16 and BF16 in a `Uint16Array`, BOOL and serialized BYTES
   *   in a `Uint8Array`. Left out, these arrays are UINT16 and UINT8.
   * @throws TritonError INTERNAL when the name is empty, the array does not fit the datatype, or the number of elements
   *   does not fit the shape
   */
  constructor(name: string, data: InferredTensorInput<D>, shape: readonly number[], datatype?: undefined);
  // Allows nothing new. Of what fits none, a `number[]` most of all, the compiler tells why it does not fit the last one.
  constructor(name: string, data: TypedInputMap[D], shape: readonly number[], datatype?: undefined);
  constructor(name: string, data: TensorInput<D>, shape: readonly number[], datatype: D);
  constructor(
    name: string,
    data: unknown,
    shape: readonly number[],
    datatype?: string,
    trust?: symbol,
    source?: TensorSource,
    index = 0,
    place?: TensorPlace,
  ) {
    this.name = name;
    this.#strings = undefined;
    this.#elements = undefined;
    this.#source = source;
    this.#index = index;
    this.#place = place;
    if (trust === TRUSTED) {
      this.datatype = datatype as D;
      this.shape = shape as number[];
      this.elementCount = elementCountOf(shape);
      this.#data = data as TensorData | undefined;
      return;
    }
    noteOrigin(this);
    checkName(name);
    const inferred = datatype === undefined ? inferDatatype(name, data) : dataTypeInfo(datatype).name;
    const elementCount = checkedElementCount(name, shape, "new Tensor(name, data, shape)");
    this.datatype = inferred as D;
    this.shape = shape.slice();
    this.elementCount = elementCount;
    if (ArrayBuffer.isView(data)) {
      this.#data = checkTypedArray(name, data, shape, elementCount, inferred);
    } else if (inferred === "BYTES" && Array.isArray(data)) {
      this.#data = undefined;
      this.#elements = checkElements(name, data, shape, elementCount);
    } else if (inferred === "BOOL" && Array.isArray(data)) {
      this.#data = booleansToBytes(name, data, shape, elementCount);
    } else {
      refusePlainArray(name, data, inferred);
    }
  }

  /**
   * The elements, in row-major order. BYTES gives Triton's serialized form.
   * The same array each time, and a view: valid until the request is answered.
   */
  get data(): TensorDataMap[D] {
    return (this.#data ?? this.#load()) as TensorDataMap[D];
  }

  #load(): TensorData {
    const data =
      this.#source === undefined
        ? serializeBytes(this.#elements ?? [])
        : this.#source.inputData(this.#index, this.name);
    this.#data = data;
    return data;
  }

  /** Bytes of the data; for BYTES those of the serialized form. */
  get byteLength(): number {
    if (this.#data !== undefined) return this.#data.byteLength;
    if (this.datatype !== "BYTES") return this.elementCount * elementByteSize(this.datatype);
    return this.#source === undefined ? serializedByteLength(this.#elements ?? []) : this.data.byteLength;
  }

  /**
   * The elements of a BYTES tensor as strings, decoded as UTF-8 when first asked for; the same array each time.
   * The strings are copies and stay valid.
   *
   * @throws TritonError INTERNAL when the datatype is not BYTES; INVALID_ARG when the data, which a client sent, is malformed
   */
  strings(): string[] {
    if (this.#strings === undefined) {
      this.#requireBytes("strings()");
      const given = this.#elements;
      this.#strings = given?.every((element) => typeof element === "string")
        ? given.slice()
        : this.#checkCount(deserializeStrings(this.data as Uint8Array));
    }
    return this.#strings;
  }

  /**
   * The elements of a BYTES tensor, found when first asked for; the same array each time.
   * The elements are views: valid until the request is answered.
   *
   * @throws TritonError INTERNAL when the datatype is not BYTES; INVALID_ARG when the data, which a client sent, is malformed
   */
  bytes(): Uint8Array[] {
    this.#requireBytes("bytes()");
    const given = this.#elements;
    if (given === undefined || !given.every((element) => element instanceof Uint8Array)) {
      const found = this.#checkCount(deserializeBytes(this.data as Uint8Array));
      this.#elements = found;
      return found;
    }
    return given as Uint8Array[];
  }

  #requireBytes(method: string): void {
    if (this.datatype !== "BYTES") {
      throw defect(
        `Tensor '${this.name}' has datatype ${this.datatype}, but ${method} reads BYTES only. Use its data.`,
      );
    }
  }

  #checkCount<T>(elements: T[]): T[] {
    if (elements.length !== this.elementCount) {
      throw new TritonError(
        `The shape [${this.shape.join(", ")}] of tensor '${this.name}' has ${this.elementCount} elements, ` +
          `but its data holds ${elements.length}.`,
        "INVALID_ARG",
      );
    }
    return elements;
  }

  /**
   * The elements of an FP16, BF16 or FP32 tensor as 32-bit floats. FP16 and BF16 are converted into a new array at each
   * call; FP32 gives `data` itself.
   *
   * @throws TritonError INTERNAL for any other datatype
   */
  toFloat32(): Float32Array {
    switch (this.datatype as DataType) {
      case "FP16":
        return float16ToFloat32(this.data as Uint16Array);
      case "BF16":
        return bfloat16ToFloat32(this.data as Uint16Array);
      case "FP32":
        return this.data as Float32Array;
      default:
        throw defect(
          `Tensor '${this.name}' has datatype ${this.datatype}, but toFloat32() reads FP16, BF16 and FP32 only.`,
        );
    }
  }

  /**
   * Makes a tensor of 32-bit floats, rounded to the nearest value of `datatype`, ties to the even one.
   *
   * @throws TritonError INTERNAL as the constructor, and for any other datatype
   */
  static fromFloat32<F extends FloatDataType>(
    name: string,
    data: Float32Array,
    shape: readonly number[],
    datatype: F,
  ): Tensor<F> {
    if (Object.prototype.toString.call(data) !== "[object Float32Array]") {
      throw defect(`Tensor.fromFloat32 needs a Float32Array as the data of tensor '${name}'.`);
    }
    switch (datatype as string) {
      case "FP16":
        return new Tensor<DataType>(name, float32ToFloat16(data), shape, "FP16") as Tensor<F>;
      case "BF16":
        return new Tensor<DataType>(name, float32ToBfloat16(data), shape, "BF16") as Tensor<F>;
      case "FP32":
        return new Tensor<DataType>(name, data, shape, "FP32") as Tensor<F>;
      default:
        throw defect(
          `Tensor.fromFloat32 makes FP16, BF16 and FP32, but '${String(datatype)}' was asked for tensor '${name}'.`,
        );
    }
  }

  /** A tensor with a copy of the data, which stays valid when the request is answered. */
  clone(): Tensor<D> {
    const { array } = dataTypeInfo(this.datatype);
    const copy = new (array as unknown as new (source: TensorData) => TensorData)(this.data);
    const made = trustedTensor(this.name, this.datatype, this.shape.slice(), copy);
    noteOrigin(made);
    return made;
  }

  /** The same tensor under another name; the data is shared, not copied. */
  renamed(name: string): Tensor<D> {
    checkName(name);
    const made = new TrustedTensor(
      name,
      this.#data,
      this.shape.slice(),
      this.datatype,
      TRUSTED,
      this.#source,
      this.#index,
      this.#place,
    );
    made.#elements = this.#elements;
    made.#strings = this.#strings;
    noteOrigin(made);
    return made as Tensor<D>;
  }

  /**
   * The one element: a string of BYTES (decoded as UTF-8), a boolean of BOOL, a bigint of INT64 and UINT64, else a number.
   *
   * @throws TritonError INTERNAL when there is not exactly one element; INVALID_ARG when the data, which a client sent, is malformed
   */
  item(): TensorItem<D> {
    return itemOf(this) as TensorItem<D>;
  }

  static {
    readPlace = (tensor) => tensor.#place;
    readSource = (tensor) =>
      tensor.#source === undefined ? undefined : { source: tensor.#source, index: tensor.#index };
    readUnserialized = (tensor) => (tensor.#data === undefined ? tensor.#elements : undefined);
  }
}

/** The constructor as the runtime calls it. */
const TrustedTensor = Tensor as unknown as new (
  name: string,
  data: TensorData | undefined,
  shape: number[],
  datatype: DataType,
  trust: typeof TRUSTED,
  source: TensorSource | undefined,
  index: number,
  place: TensorPlace | undefined,
) => Tensor;

/**
 * Makes a tensor without checks. `data` fits datatype and shape, and `shape` belongs to the tensor from now on.
 * `place` says where `data` lies when that is memory shared with the server.
 */
export function trustedTensor<D extends DataType>(
  name: string,
  datatype: D,
  shape: number[],
  data: TensorData,
  place?: TensorPlace,
): Tensor<D> {
  return new TrustedTensor(name, data, shape, datatype, TRUSTED, undefined, 0, place) as Tensor<D>;
}

/** Makes a tensor without checks whose data is asked from `source`, as its input `index`, when it is read. */
export function lazyTensor(
  name: string,
  datatype: DataType,
  shape: number[],
  source: TensorSource,
  index: number,
): Tensor {
  return new TrustedTensor(name, undefined, shape, datatype, TRUSTED, source, index, undefined);
}

/** Where the data of a tensor lies in shared memory, when the runtime allocated it there. */
export function placeOf(tensor: Tensor): TensorPlace | undefined {
  return readPlace(tensor);
}

/** What the data of a tensor is asked from, and as which input; undefined for one that has data of its own. */
export function sourceOf(tensor: Tensor): { readonly source: TensorSource; readonly index: number } | undefined {
  return readSource(tensor);
}

/**
 * The elements of a BYTES tensor that nobody has serialized yet, so that the runtime can serialize them straight into
 * shared memory; undefined when `tensor.data` is there already.
 */
export function unserializedElements(tensor: Tensor): readonly (string | Uint8Array)[] | undefined {
  return readUnserialized(tensor);
}

Object.defineProperty(Tensor.prototype, Symbol.for("nodejs.util.inspect.custom"), {
  value(this: Tensor): string {
    return `Tensor { name: '${this.name}', datatype: '${this.datatype}', shape: [${this.shape.join(", ")}] }`;
  },
  configurable: true,
  writable: true,
});
