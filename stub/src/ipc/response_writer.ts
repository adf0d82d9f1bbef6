// SPDX-License-Identifier: Apache-2.0
import { serializeBytesInto, serializedByteLength } from "../api/bytes.ts";
import type { DataType } from "../api/datatype.ts";
import { TritonError, type TritonErrorCode } from "../api/errors.ts";
import type { Parameters } from "../api/request.ts";
import { placeOf, type Tensor, unserializedElements } from "../api/tensor.ts";
import * as L from "../protocol/layout.gen.ts";
import { type AllocatedPlace, allocateOrFail, type Batch, type ShmRequest } from "./batch_reader.ts";
import type { Outbox } from "./entries.ts";
import type { Place } from "./native.ts";
import { datatypeOfName, type Region, type SharedMemory } from "./shared_memory.ts";

/** What an error says to the client. */
export interface AnswerError {
  readonly code: TritonErrorCode;
  readonly message: string;
}

/** The answer to one request, checked against the model's configuration. */
export interface Answer {
  readonly error: AnswerError | undefined;
  /** Index of each output in the table of names; same order as `outputs`. */
  readonly outputIndices: readonly number[];
  readonly outputs: readonly Tensor[];
  readonly parameters: Parameters;
}

/** An answer whose size is known. */
interface Measured {
  readonly answer: Answer;
  readonly message: Buffer | undefined;
  readonly parameters: readonly EncodedParameter[];
  /** Where each output lies already, or undefined where it must be copied. */
  readonly places: (Place | undefined)[];
  readonly recordBytes: number;
  readonly dataBytes: number;
}

interface EncodedParameter {
  readonly type: number;
  readonly key: Buffer;
  readonly text: Buffer;
  readonly bits: bigint;
}

const NO_TEXT = Buffer.alloc(0);
const doubleBits = new DataView(new ArrayBuffer(8));

function align(bytes: number, unit: number): number {
  return Math.ceil(bytes / unit) * unit;
}

function encodeParameters(parameters: Parameters): EncodedParameter[] {
  return Object.entries(parameters).map(([name, value]) => {
    const key = Buffer.from(name);
    if (typeof value === "string") return { type: L.PARAMETER_STRING, key, text: Buffer.from(value), bits: 0n };
    if (typeof value === "boolean") return { type: L.PARAMETER_BOOL, key, text: NO_TEXT, bits: value ? 1n : 0n };
    if (typeof value === "bigint" || Number.isInteger(value)) {
      return { type: L.PARAMETER_INT, key, text: NO_TEXT, bits: BigInt(value) };
    }
    doubleBits.setFloat64(0, value);
    return { type: L.PARAMETER_DOUBLE, key, text: NO_TEXT, bits: doubleBits.getBigUint64(0) };
  });
}

/** Cuts a message at the protocol's limit, on a whole character. */
function encodeMessage(message: string): Buffer {
  const text = Buffer.from(message);
  if (text.length <= L.MAX_MESSAGE_BYTES) return text;
  return Buffer.from(
    `${text
      .subarray(0, L.MAX_MESSAGE_BYTES - 16)
      .toString()
      .replace(/\uFFFD+$/, "")} ...`,
  );
}

/** Writes answers into shared memory and sends them: one allocation, one call and at most one wake-up for a batch. */
export class ResponseWriter {
  readonly #memory: SharedMemory;
  readonly #outbox: Outbox;

  constructor(memory: SharedMemory, outbox: Outbox) {
    this.#memory = memory;
    this.#outbox = outbox;
  }

  /**
   * Answers all requests of a batch. When the answers together do not fit into shared memory they go one by one, and
   * `onError` gives the answer for one that does not fit alone.
   */
  send(batch: Batch, answers: readonly Answer[], onError: (error: unknown) => Answer): void {
    const measured: Measured[] = [];
    for (let i = 0; i < answers.length; i++) measured.push(this.#measureOrFail(batch, i, answers[i]!, onError));
    let bytes = 0;
    for (const item of measured) bytes += item.recordBytes + item.dataBytes;
    let block: Place | undefined;
    try {
      block = this.#memory.allocate(bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOMEM") throw error;
    }
    if (block === undefined) {
      measured.forEach((item, i) => {
        this.#sendAlone(batch, i, item, onError);
      });
    } else {
      let at = block.offset;
      measured.forEach((item, i) => {
        this.#write(batch, i, item, block.region, at);
        at += item.recordBytes + item.dataBytes;
      });
      this.#outbox.freeLater(block);
    }
    for (const allocated of batch.allocated) this.#outbox.freeLater(allocated);
    this.#outbox.flush();
  }

  #sendAlone(batch: Batch, request: number, item: Measured, onError: (error: unknown) => Answer): void {
    let measured = item;
    let block: Place;
    try {
      block = allocateOrFail(this.#memory, item.recordBytes + item.dataBytes, "a response");
    } catch (error) {
      measured = this.#measure(onError(error), batch.sources[request]!);
      // If not even this fits, the process ends and the server answers for it.
      block = this.#memory.allocate(measured.recordBytes);
    }
    this.#write(batch, request, measured, block.region, block.offset);
    this.#outbox.freeLater(block);
    this.#outbox.flush();
  }

  /** What cannot be measured, such as elements that were spoilt after their tensor was made, fails its request. */
  #measureOrFail(batch: Batch, request: number, answer: Answer, onError: (error: unknown) => Answer): Measured {
    const source = batch.sources[request]!;
    try {
      if (this.#memory.mayHaveLost) refuseLostInput(source);
      const measured = this.#measure(answer, source);
      if (measured.recordBytes <= L.MAX_RECORD_BYTES) return measured;
      throw new TritonError(
        `The parameters of a response take ${measured.recordBytes} bytes, but at most ${L.MAX_RECORD_BYTES} fit. ` +
          "Send large values as outputs.",
      );
    } catch (error) {
      return this.#measure(onError(error), source);
    }
  }

  #measure(answer: Answer, source: ShmRequest): Measured {
    if (answer.error !== undefined) {
      const message = encodeMessage(answer.error.message);
      const recordBytes = align(L.RESPONSE_SIZE + message.length, L.DATA_ALIGNMENT);
      return { answer, message, parameters: [], places: [], recordBytes, dataBytes: 0 };
    }
    const parameters = encodeParameters(answer.parameters);
    const places: (Place | undefined)[] = [];
    let recordBytes = L.RESPONSE_SIZE;
    let dataBytes = 0;
    for (const output of answer.outputs) {
      recordBytes += L.TENSOR_SIZE + output.shape.length * 8;
      const place = this.#placeOf(output, source);
      places.push(place);
      if (place === undefined) dataBytes += align(outputBytes(output), L.DATA_ALIGNMENT);
    }
    for (const { key, text } of parameters) recordBytes += L.PARAMETER_SIZE + align(key.length + text.length, 8);
    return {
      answer,
      message: undefined,
      parameters,
      places,
      recordBytes: align(recordBytes, L.DATA_ALIGNMENT),
      dataBytes,
    };
  }

  /** Data that lies in shared memory already, an input or an allocated output, is not copied. */
  #placeOf(output: Tensor, source: ShmRequest): Place | undefined {
    const place = placeOf(output) as AllocatedPlace | undefined;
    if (place?.batch.closed) {
      throw new TritonError(
        `Output '${output.name}' was allocated for a request that is answered already. Allocate it for the request at hand.`,
      );
    }
    if (place !== undefined) return { region: place.region, offset: place.offset, bytes: place.byteLength };
    if (unserializedElements(output) !== undefined) return undefined;
    const found = this.#memory.placeOf(output.data);
    return found !== undefined && this.#memory.canAnswerWith(found, source) ? found : undefined;
  }

  #write(batch: Batch, request: number, item: Measured, regionId: number, at: number): void {
    const region = this.#memory.region(regionId);
    const { u32 } = region;
    const head = at / 4;
    const { error, outputs } = item.answer;
    const offset = error === undefined ? this.#writeOutputs(region, at, item) : L.RESPONSE_SIZE;
    u32[head + L.RESPONSE_RECORD_BYTES / 4] = item.recordBytes;
    u32[head + L.RESPONSE_STATUS / 4] = error === undefined ? 0 : L.STATUSES[error.code];
    u32[head + L.RESPONSE_MESSAGE_OFFSET / 4] = L.RESPONSE_SIZE;
    u32[head + L.RESPONSE_MESSAGE_BYTES / 4] = item.message?.length ?? 0;
    u32[head + L.RESPONSE_PARAMETERS_OFFSET / 4] = offset;
    u32[head + L.RESPONSE_PARAMETER_COUNT / 4] = item.parameters.length;
    u32[head + L.RESPONSE_OUTPUT_COUNT / 4] = error === undefined ? outputs.length : 0;
    u32[head + L.RESPONSE_SIZE / 4 - 1] = 0;
    if (item.message !== undefined) region.u8.set(item.message, at + L.RESPONSE_SIZE);
    this.#writeParameters(region, at + offset, item.parameters);
    const owner = { table: L.TABLE_BATCHES, index: batch.index, generation: batch.generation, item: request };
    const place = { region: regionId, offset: at, bytes: item.recordBytes };
    this.#outbox.add(L.ENTRY_RESPONSE, L.RESPONSE_FINAL, owner, place);
  }

  /** Writes the outputs' heads and copies what is not in shared memory. Returns the offset behind the heads. */
  #writeOutputs(region: Region, record: number, item: Measured): number {
    const { u32 } = region;
    const { outputs, outputIndices } = item.answer;
    let at = record + L.RESPONSE_SIZE;
    let data = record + item.recordBytes;
    for (let i = 0; i < outputs.length; i++) {
      const output = outputs[i]!;
      let place = item.places[i];
      if (place === undefined) {
        const bytes = outputBytes(output);
        copyOutput(region, data, output);
        place = { region: region.id, offset: data, bytes };
        data += align(bytes, L.DATA_ALIGNMENT);
      }
      const word = at / 4;
      u32[word + L.TENSOR_NAME / 4] = outputIndices[i]!;
      u32[word + L.TENSOR_DATATYPE / 4] = datatypeOfName(output.datatype as DataType).number;
      u32[word + L.TENSOR_DIMS_COUNT / 4] = output.shape.length;
      u32[word + (L.TENSOR_PLACE + L.PLACE_REGION) / 4] = place.region;
      const wide = (at + L.TENSOR_PLACE) / 8;
      region.u64[wide + L.PLACE_OFFSET / 8] = BigInt(place.offset);
      region.u64[wide + L.PLACE_BYTES / 8] = BigInt(place.bytes);
      at += L.TENSOR_SIZE;
      for (const dimension of output.shape) {
        region.i64[at / 8] = BigInt(dimension);
        at += 8;
      }
    }
    return at - record;
  }

  #writeParameters(region: Region, start: number, parameters: readonly EncodedParameter[]): void {
    let at = start;
    for (const { type, key, text, bits } of parameters) {
      region.u32[(at + L.PARAMETER_TYPE) / 4] = type;
      region.u32[(at + L.PARAMETER_KEY_BYTES) / 4] = key.length;
      region.u32[(at + L.PARAMETER_VALUE_BYTES) / 4] = text.length;
      region.i64[(at + L.PARAMETER_VALUE) / 8] = bits;
      at += L.PARAMETER_SIZE;
      region.u8.set(key, at);
      region.u8.set(text, at + key.length);
      at += align(key.length + text.length, 8);
    }
  }
}

function refuseLostInput(source: ShmRequest): void {
  const name = source.lostInput;
  if (name === undefined) return;
  throw new TritonError(
    `Input '${name}' lies in a shared memory region that was cut short while the request was served. ` +
      "Keep the region at its size until it is unregistered.",
    "INVALID_ARG",
  );
}

function outputBytes(output: Tensor): number {
  const elements = unserializedElements(output);
  if (elements !== undefined) return serializedByteLength(elements);
  const bytes = output.data.byteLength;
  if (bytes > 0 || output.elementCount === 0) return bytes;
  throw new TritonError(`The buffer of output '${output.name}' was transferred away, and with it the output's data.`);
}

function copyOutput(region: Region, offset: number, output: Tensor): void {
  const elements = unserializedElements(output);
  if (elements !== undefined) {
    serializeBytesInto(elements, region.u8, offset);
    return;
  }
  const { buffer, byteOffset, byteLength } = output.data;
  if (byteLength === 0) return; // a view that was kept too long has a buffer that cannot be looked at
  region.u8.set(new Uint8Array(buffer, byteOffset, byteLength), offset);
}
