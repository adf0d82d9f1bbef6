// SPDX-License-Identifier: Apache-2.0
import type { DataType, TensorData } from "../api/datatype.ts";
import { TritonError } from "../api/errors.ts";
import {
  type InferenceRequest,
  type Parameters,
  type ParameterValue,
  type RequestSource,
  requestFromSource,
} from "../api/request.ts";
import { type Tensor, type TensorPlace, trustedTensor } from "../api/tensor.ts";
import * as L from "../protocol/layout.gen.ts";
import type { Place } from "./native.ts";
import { datatypeOfName, datatypeOfNumber, type Region, type SharedMemory } from "./shared_memory.ts";

/** Names of the model's inputs and outputs; the protocol speaks of them by index. */
export interface NameTables {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

const TWO_32 = 4294967296;

function readText(region: Region, offset: number, bytes: number): string {
  if (bytes === 0) return "";
  return Buffer.from(region.buffer, offset, bytes).toString("utf8");
}

function readU64(region: Region, offset: number): number {
  return region.u32[offset / 4]! + region.u32[offset / 4 + 1]! * TWO_32;
}

/** What the runtime knows of a batch from its arrival to its last answer. */
export class Batch {
  readonly memory: SharedMemory;
  readonly tables: NameTables;
  readonly index: number;
  readonly generation: number;
  readonly requests: InferenceRequest[] = [];
  readonly sources: ShmRequest[] = [];
  /** Outputs that the model allocated: freed once the server has read the answers. */
  readonly allocated: Place[] = [];
  /** Strict mode: buffers to detach when the batch is answered. */
  readonly detachable: ArrayBufferLike[] | undefined;
  closed = false;

  constructor(memory: SharedMemory, tables: NameTables, index: number, generation: number, strict: boolean) {
    this.memory = memory;
    this.tables = tables;
    this.index = index;
    this.generation = generation;
    this.detachable = strict ? [] : undefined;
  }

  view(datatype: ReturnType<typeof datatypeOfNumber>, place: Place): TensorData {
    if (this.detachable === undefined) return this.memory.view(datatype, place);
    const data = this.memory.detachableView(datatype, place);
    this.detachable.push(data.buffer);
    return data;
  }

  /** The batch is answered: what the model still holds of it is stale. */
  close(): void {
    this.closed = true;
    if (this.detachable === undefined) return;
    for (const buffer of this.detachable) this.memory.detach(buffer);
  }
}

/** Where an output lies that the model allocated; the memory is the batch's and is freed with it. */
export interface AllocatedPlace extends TensorPlace {
  readonly batch: Batch;
}

/** One request as it lies in shared memory (struct tsb_request); everything is read when it is asked for. */
export class ShmRequest implements RequestSource {
  readonly #batch: Batch;
  readonly #region: Region;
  readonly #at: number;
  readonly inputCount: number;
  /** Offset of each input's struct tsb_tensor. */
  #inputsAt: number[] | undefined;

  constructor(batch: Batch, region: Region, at: number) {
    this.#batch = batch;
    this.#region = region;
    this.#at = at;
    this.inputCount = region.u32[(at + L.REQUEST_INPUT_COUNT) / 4]!;
  }

  #u32(field: number): number {
    return this.#region.u32[(this.#at + field) / 4]!;
  }

  get recordBytes(): number {
    return this.#u32(L.REQUEST_RECORD_BYTES);
  }

  get id(): string {
    return readText(this.#region, this.#at + this.#u32(L.REQUEST_ID_OFFSET), this.#u32(L.REQUEST_ID_BYTES));
  }

  get correlationId(): number | bigint | string {
    const bytes = this.#u32(L.REQUEST_CORRELATION_BYTES);
    if (bytes > 0) return readText(this.#region, this.#at + this.#u32(L.REQUEST_CORRELATION_OFFSET), bytes);
    const wide = this.#region.u64[(this.#at + L.REQUEST_CORRELATION_ID) / 8]!;
    return wide <= Number.MAX_SAFE_INTEGER ? Number(wide) : wide;
  }

  get flags(): number {
    return this.#u32(L.REQUEST_FLAGS);
  }

  get timeoutUs(): number {
    return readU64(this.#region, this.#at + L.REQUEST_TIMEOUT_US);
  }

  /** Indices of the outputs that the client wants. */
  wants(output: number): boolean {
    const first = (this.#at + this.#u32(L.REQUEST_REQUESTED_OFFSET)) / 4;
    const count = this.#requestedCount();
    for (let i = 0; i < count; i++) {
      if (this.#region.u32[first + i] === output) return true;
    }
    return false;
  }

  /** A model may have written over its requests; no number in them may lead to a loop without end. */
  #requestedCount(): number {
    return Math.min(this.#u32(L.REQUEST_REQUESTED_COUNT), this.#batch.tables.outputs.length);
  }

  get requestedOutputs(): string[] {
    const first = (this.#at + this.#u32(L.REQUEST_REQUESTED_OFFSET)) / 4;
    const names: string[] = [];
    const count = this.#requestedCount();
    for (let i = 0; i < count; i++) {
      names.push(this.#batch.tables.outputs[this.#region.u32[first + i]!]!);
    }
    return names;
  }

  get parameters(): Parameters {
    const parameters: Record<string, ParameterValue> = {};
    const region = this.#region;
    let at = this.#at + this.#u32(L.REQUEST_PARAMETERS_OFFSET);
    for (let i = 0; i < this.#u32(L.REQUEST_PARAMETER_COUNT); i++) {
      const keyBytes = region.u32[(at + L.PARAMETER_KEY_BYTES) / 4]!;
      const valueBytes = region.u32[(at + L.PARAMETER_VALUE_BYTES) / 4]!;
      const text = at + L.PARAMETER_SIZE;
      // Not a plain assignment: a parameter called __proto__ is a parameter, too.
      Object.defineProperty(parameters, readText(region, text, keyBytes), {
        value: this.#parameterValue(at, text + keyBytes, valueBytes),
        enumerable: true,
      });
      at = text + Math.ceil((keyBytes + valueBytes) / 8) * 8;
    }
    return parameters;
  }

  #parameterValue(at: number, text: number, bytes: number): ParameterValue {
    const region = this.#region;
    switch (region.u32[(at + L.PARAMETER_TYPE) / 4]) {
      case L.PARAMETER_STRING:
        return readText(region, text, bytes);
      case L.PARAMETER_INT: {
        const wide = region.i64[(at + L.PARAMETER_VALUE) / 8]!;
        const number = Number(wide);
        return Number.isSafeInteger(number) ? number : wide;
      }
      case L.PARAMETER_BOOL:
        return region.u32[(at + L.PARAMETER_VALUE) / 4] !== 0;
      default:
        return region.f64[(at + L.PARAMETER_VALUE) / 8]!;
    }
  }

  #inputAt(index: number): number {
    if (this.#inputsAt === undefined) {
      const found: number[] = [];
      let at = this.#at + L.REQUEST_SIZE;
      for (let i = 0; i < this.inputCount; i++) {
        found.push(at);
        at += L.TENSOR_SIZE + this.#region.u32[(at + L.TENSOR_DIMS_COUNT) / 4]! * 8;
      }
      this.#inputsAt = found;
    }
    return this.#inputsAt[index]!;
  }

  inputName(index: number): string {
    const at = this.#inputAt(index);
    const { u32 } = this.#region;
    const name = u32[(at + L.TENSOR_NAME) / 4]!;
    if (name !== L.NAME_INLINE) return this.#batch.tables.inputs[name]!;
    const offset = this.#at + u32[(at + L.TENSOR_NAME_OFFSET) / 4]!;
    return readText(this.#region, offset, u32[(at + L.TENSOR_NAME_BYTES) / 4]!);
  }

  inputDatatype(index: number): DataType {
    return datatypeOfNumber(this.#region.u32[(this.#inputAt(index) + L.TENSOR_DATATYPE) / 4]!).name;
  }

  inputShape(index: number): number[] {
    const at = this.#inputAt(index);
    const count = this.#region.u32[(at + L.TENSOR_DIMS_COUNT) / 4]!;
    if (!(count <= L.MAX_DIMS)) {
      throw new TritonError("The model wrote over the memory of its request. Write into the data of tensors only.");
    }
    const shape: number[] = [];
    for (let i = 0; i < count; i++) shape.push(readU64(this.#region, at + L.TENSOR_SIZE + i * 8));
    return shape;
  }

  inputData(index: number): TensorData {
    if (this.#batch.closed) {
      throw new TritonError(
        `Input '${this.inputName(index)}' was read after its request was answered. Read or clone() it before.`,
      );
    }
    const row = datatypeOfNumber(this.#region.u32[(this.#inputAt(index) + L.TENSOR_DATATYPE) / 4]!);
    return this.#batch.view(row, this.#inputPlace(index));
  }

  #inputPlace(index: number): Place {
    const at = this.#inputAt(index) + L.TENSOR_PLACE;
    return {
      region: this.#region.u32[(at + L.PLACE_REGION) / 4]!,
      offset: readU64(this.#region, at + L.PLACE_OFFSET),
      bytes: readU64(this.#region, at + L.PLACE_BYTES),
    };
  }

  /** Whether the place is part of one of the inputs. */
  holds(place: Place): boolean {
    for (let i = 0; i < this.inputCount; i++) {
      const { region, offset, bytes } = this.#inputPlace(i);
      if (region !== place.region) continue;
      if (place.offset >= offset && place.offset + place.bytes <= offset + bytes) return true;
    }
    return false;
  }

  /** The name of an input whose memory the client has cut short while it was read. */
  get lostInput(): string | undefined {
    for (let i = 0; i < this.inputCount; i++) {
      if (this.#batch.memory.isLost(this.#inputPlace(i).region)) return this.inputName(i);
    }
    return undefined;
  }

  allocateOutput(name: string, datatype: DataType, shape: number[], elementCount: number): Tensor {
    const batch = this.#batch;
    if (batch.closed) throw new TritonError(`Output '${name}' was allocated after its request was answered.`);
    const row = datatypeOfName(datatype);
    const bytes = elementCount * row.bytes;
    const block = allocateOrFail(batch.memory, bytes, `output '${name}'`);
    batch.allocated.push(block);
    const place: AllocatedPlace = { region: block.region, offset: block.offset, byteLength: bytes, batch };
    return trustedTensor(name, datatype, shape, batch.view(row, block), place);
  }
}

/** Allocates, or throws the error that the client gets. */
export function allocateOrFail(memory: SharedMemory, bytes: number, what: string): Place {
  try {
    return memory.allocate(bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOMEM") throw error;
    throw new TritonError(
      `Failed to increase the shared memory pool size: ${what} needs ${bytes} bytes, which do not fit into the limit. ` +
        "Raise --backend-config=typescript,shm-max-byte-size or answer with less.",
      "UNAVAILABLE",
    );
  }
}

/** Reads the batch that an EXECUTE entry points at. */
export function readBatch(
  memory: SharedMemory,
  tables: NameTables,
  entry: { index: number; generation: number; place: Place },
  strict: boolean,
): Batch {
  const batch = new Batch(memory, tables, entry.index, entry.generation, strict);
  const region = memory.region(entry.place.region);
  const count = region.u32[(entry.place.offset + L.BATCH_REQUEST_COUNT) / 4]!;
  let at = entry.place.offset + L.BATCH_SIZE;
  for (let i = 0; i < count; i++) {
    const source = new ShmRequest(batch, region, at);
    batch.sources.push(source);
    batch.requests.push(requestFromSource(source));
    at += source.recordBytes;
  }
  return batch;
}
