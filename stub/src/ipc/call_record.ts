// SPDX-License-Identifier: Apache-2.0
// A call of another model as it lies in shared memory (struct tsb_call).
import type { CallContent } from "../api/caller.ts";
import { defect } from "../api/errors.ts";
import type { Parameters } from "../api/parameters.ts";
import type { Tensor } from "../api/tensor.ts";
import { elementCountOf } from "../api/tensor_checks.ts";
import * as L from "../protocol/layout.gen.ts";
import { type Dtype, dtypeOfName } from "./dtype.ts";
import type { Owner } from "./entries.ts";
import {
  type EncodedParameter,
  encodeParameters,
  parametersBytes,
  readParameters,
  writeParameters,
} from "./parameter_record.ts";
import { align, type Place, type Region, readText, readU64, requireInside, writeU64 } from "./record.ts";
import { type Content, contentOf, copyContent } from "./tensor_data.ts";
import {
  copyShape,
  nextTensor,
  readTensorDtype,
  readTensorName,
  readTensorPlace,
  readTensorShape,
  tensorHeadBytes,
  writeInlineName,
  writeTensor,
} from "./tensor_record.ts";

const TEXT_FIELDS = [L.CALL_MODEL, L.CALL_ID, L.CALL_CORRELATION];
const NO_OWNER: Owner = { table: 0, index: 0, generation: 0, item: 0 };

const NO_TEXT = Buffer.alloc(0);
/** Names of models and tensors that were encoded lately: the same few come again with each call. */
const encodedNames = new Map<string, Buffer>();
const MOST_NAMES = 1000;
const LONGEST_NAME = 256;

function encoded(text: string): Buffer {
  return text === "" ? NO_TEXT : Buffer.from(text);
}

function encodedName(name: string): Buffer {
  const found = encodedNames.get(name);
  if (found !== undefined) return found;
  if (name.length > LONGEST_NAME) return Buffer.from(name);
  // In memory of its own: what `Buffer.from` gives keeps 64 KiB that it shares with others.
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(name));
  bytes.write(name);
  if (encodedNames.size === MOST_NAMES) encodedNames.clear();
  encodedNames.set(name, bytes);
  return bytes;
}

/** An input, read once: a model may change what its tensor says at any time. */
interface MeasuredInput {
  readonly name: Buffer;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Where it lies, or what is copied. */
  readonly source: Place | Content;
}

/** The shape, which is the model's to change. */
function shapeOf({ name, shape, elementCount }: Tensor): readonly number[] {
  if (shape.length > L.MAX_DIMS) {
    throw defect(`Input '${name}' has ${shape.length} dimensions, but at most ${L.MAX_DIMS} are supported.`);
  }
  const copy = copyShape(shape);
  if (copy !== undefined && elementCountOf(copy) === elementCount) return copy;
  const now = Array.isArray(shape) ? [...shape].map(String).join(", ") : "";
  throw defect(
    `Input '${name}' has ${elementCount} elements, but its shape is [${now}] by now. Make a new Tensor instead.`,
  );
}

/** The server holds a process that sends another size for broken, with all requests that it has. */
function checkSize(
  { name }: Tensor,
  { dtype, shape }: Omit<MeasuredInput, "source">,
  { bytes }: Place | Content,
): void {
  const wanted = elementCountOf(shape) * dtype.bytes;
  if (dtype.name === "BYTES" || bytes === wanted) return;
  throw defect(
    `Input '${name}' of datatype ${dtype.name} and shape [${shape.join(", ")}] takes ${wanted} bytes, but its data has ${bytes} ` +
      "by now. Make a new Tensor instead.",
  );
}

function isPlace(source: Place | Content): source is Place {
  return "region" in source;
}

/** A call whose size is known. */
export class MeasuredCall {
  readonly recordBytes: number;
  /** Bytes of the data that is copied, which follows the record. */
  readonly dataBytes: number;
  readonly #content: CallContent;
  readonly #inputs: readonly MeasuredInput[];
  readonly #texts: readonly Buffer[];
  readonly #requested: readonly Buffer[];
  readonly #parameters: readonly EncodedParameter[];

  /**
   * @param placeOf where an input lies that is not to be copied. Asked last, as shapes and parameters may run code of the model.
   * @throws TritonError INTERNAL when an input is not what it was made as
   */
  constructor(content: CallContent, placeOf: (input: Tensor, index: number) => Place | undefined) {
    const { inputs, correlationId } = content;
    this.#content = content;
    const correlation = typeof correlationId === "string" ? correlationId : "";
    this.#texts = [encodedName(content.modelName), encoded(content.id), encoded(correlation)];
    this.#requested = content.requestedOutputs.map(encodedName);
    this.#parameters = encodeParameters("Request", content.parameters);
    const heads = inputs.map((input) => ({
      name: encodedName(input.name),
      dtype: dtypeOfName(input.datatype),
      shape: shapeOf(input),
    }));
    this.#inputs = heads.map((head, i) => {
      const source = placeOf(inputs[i]!, i) ?? contentOf(inputs[i]!);
      checkSize(inputs[i]!, head, source);
      return { ...head, source };
    });
    let bytes = L.CALL_SIZE + this.#requested.length * L.TEXT_PLACE_SIZE + parametersBytes(this.#parameters);
    let copied = 0;
    for (const { name, shape, source } of this.#inputs) {
      bytes += tensorHeadBytes(shape.length) + align(name.length, 8);
      if (!isPlace(source)) copied += align(source.bytes, L.DATA_ALIGNMENT);
    }
    for (const texts of [this.#texts, this.#requested]) {
      for (const text of texts) bytes += align(text.length, 8);
    }
    this.recordBytes = align(bytes, L.DATA_ALIGNMENT);
    this.dataBytes = copied;
  }

  /**
   * Writes the record at `record`, and behind it the data that is copied.
   *
   * @param parent the request that it is made for
   * @param traced the request whose trace it is a part of
   */
  write(region: Region, record: number, parent: Owner | undefined, traced: Owner | undefined): void {
    const { u32, u64, i64 } = region;
    const { correlationId } = this.#content;
    const at = record / 4;
    let end = this.#writeInputs(region, record);
    const putText = (place: number, text: Buffer): void => {
      u32[(place + L.TEXT_PLACE_OFFSET) / 4] = end - record;
      u32[(place + L.TEXT_PLACE_BYTES) / 4] = text.length;
      if (text.length === 0) return;
      region.u8.set(text, end);
      end += align(text.length, 8);
    };
    u32[at + L.CALL_RECORD_BYTES / 4] = this.recordBytes;
    u32[at + L.CALL_FLAGS / 4] = this.#content.flags;
    writeOwner(region, record + L.CALL_PARENT, parent ?? NO_OWNER);
    writeOwner(region, record + L.CALL_TRACE, traced ?? NO_OWNER);
    const put64 = (field: number, value: number | bigint): void => {
      if (typeof value === "number") writeU64(u32, record + field, value);
      else u64[(record + field) / 8] = value;
    };
    i64[(record + L.CALL_MODEL_VERSION) / 8] = BigInt(this.#content.modelVersion);
    put64(L.CALL_CORRELATION_ID, typeof correlationId === "string" ? 0 : correlationId);
    put64(L.CALL_TIMEOUT_US, this.#content.timeoutUs);
    put64(L.CALL_PRIORITY, this.#content.priority);
    for (let i = 0; i < TEXT_FIELDS.length; i++) putText(record + TEXT_FIELDS[i]!, this.#texts[i]!);
    const requested = end;
    end += this.#requested.length * L.TEXT_PLACE_SIZE;
    for (let i = 0; i < this.#requested.length; i++) putText(requested + i * L.TEXT_PLACE_SIZE, this.#requested[i]!);
    u32[at + L.CALL_REQUESTED_OFFSET / 4] = requested - record;
    u32[at + L.CALL_REQUESTED_COUNT / 4] = this.#requested.length;
    u32[at + L.CALL_PARAMETERS_OFFSET / 4] = end - record;
    u32[at + L.CALL_PARAMETER_COUNT / 4] = this.#parameters.length;
    u32[at + L.CALL_INPUT_COUNT / 4] = this.#inputs.length;
    u32[at + L.CALL_SIZE / 4 - 1] = 0;
    writeParameters(region, end, this.#parameters);
  }

  /** Writes the inputs' heads and names, and copies what is not in shared memory. Returns where the names end. */
  #writeInputs(region: Region, record: number): number {
    const heads: number[] = [];
    let at = record + L.CALL_SIZE;
    let data = record + this.recordBytes;
    for (const { dtype, shape, source } of this.#inputs) {
      let place: Place;
      if (isPlace(source)) {
        place = source;
      } else {
        place = { region: region.id, offset: data, bytes: source.bytes };
        copyContent(region, data, source);
        data += align(source.bytes, L.DATA_ALIGNMENT);
      }
      heads.push(at);
      at = writeTensor(region, at, L.NAME_INLINE, dtype, shape, place);
    }
    for (let i = 0; i < heads.length; i++) {
      const { name } = this.#inputs[i]!;
      writeInlineName(region, heads[i]!, at - record, name.length);
      region.u8.set(name, at);
      at += align(name.length, 8);
    }
    return at;
  }
}

function writeOwner({ u32 }: Region, at: number, { table, index, generation, item }: Owner): void {
  u32[(at + L.OWNER_TABLE) / 4] = table;
  u32[(at + L.OWNER_INDEX) / 4] = index;
  u32[(at + L.OWNER_GENERATION) / 4] = generation;
  u32[(at + L.OWNER_ITEM) / 4] = item;
}

export function readOwner({ u32 }: Region, at: number): Owner {
  return {
    table: u32[(at + L.OWNER_TABLE) / 4]!,
    index: u32[(at + L.OWNER_INDEX) / 4]!,
    generation: u32[(at + L.OWNER_GENERATION) / 4]!,
    item: u32[(at + L.OWNER_ITEM) / 4]!,
  };
}

/** An input of a call that was received. */
export interface ReceivedInput {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: number[];
  readonly place: Place;
}

/** A call that was received. */
export interface ReceivedCall {
  readonly modelName: string;
  readonly modelVersion: number;
  readonly id: string;
  readonly correlationId: bigint | string;
  readonly flags: number;
  readonly timeoutUs: number;
  readonly priority: number;
  readonly parent: Owner;
  /** The request whose trace it is a part of. */
  readonly trace: Owner;
  readonly parameters: Parameters;
  readonly requestedOutputs: readonly string[];
  readonly inputs: readonly ReceivedInput[];
}

/** Reads the record at `at`, which must end before `limit`. */
export function readCall(region: Region, at: number, limit: number): ReceivedCall {
  requireInside(at, L.CALL_SIZE, limit);
  const u32 = (field: number) => region.u32[(at + field) / 4]!;
  const end = at + u32(L.CALL_RECORD_BYTES);
  requireInside(end, 0, limit);
  const text = (place: number) => {
    const offset = region.u32[(place + L.TEXT_PLACE_OFFSET) / 4]!;
    return readText(region, at + offset, region.u32[(place + L.TEXT_PLACE_BYTES) / 4]!, end);
  };
  const inputs: ReceivedInput[] = [];
  let head = at + L.CALL_SIZE;
  for (let i = 0; i < u32(L.CALL_INPUT_COUNT); i++) {
    const next = nextTensor(region, head, end);
    inputs.push({
      name: readTensorName(region, head, at, end, []),
      dtype: readTensorDtype(region, head),
      shape: readTensorShape(region, head, end),
      place: readTensorPlace(region, head),
    });
    head = next;
  }
  const requested = at + u32(L.CALL_REQUESTED_OFFSET);
  requireInside(requested, u32(L.CALL_REQUESTED_COUNT) * L.TEXT_PLACE_SIZE, end);
  return {
    modelName: text(at + L.CALL_MODEL),
    modelVersion: Number(region.i64[(at + L.CALL_MODEL_VERSION) / 8]!),
    id: text(at + L.CALL_ID),
    correlationId: text(at + L.CALL_CORRELATION) || region.u64[(at + L.CALL_CORRELATION_ID) / 8]!,
    flags: u32(L.CALL_FLAGS),
    timeoutUs: readU64(region.u32, at + L.CALL_TIMEOUT_US),
    priority: readU64(region.u32, at + L.CALL_PRIORITY),
    parent: readOwner(region, at + L.CALL_PARENT),
    trace: readOwner(region, at + L.CALL_TRACE),
    parameters: readParameters(region, at + u32(L.CALL_PARAMETERS_OFFSET), u32(L.CALL_PARAMETER_COUNT), end),
    requestedOutputs: Array.from({ length: u32(L.CALL_REQUESTED_COUNT) }, (_, i) =>
      text(requested + i * L.TEXT_PLACE_SIZE),
    ),
    inputs,
  };
}
