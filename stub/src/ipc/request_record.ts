// SPDX-License-Identifier: Apache-2.0
// A request as it lies in shared memory (struct tsb_request).
import type { DataType } from "../api/datatype.ts";
import { defect } from "../api/errors.ts";
import type { Parameters } from "../api/parameters.ts";
import * as L from "../protocol/layout.gen.ts";
import type { Dtype } from "./dtype.ts";
import {
  type EncodedParameter,
  encodeParameters,
  parametersBytes,
  readParameters,
  writeParameters,
} from "./parameter_record.ts";
import { align, makeRegion, type Place, type Region, readText, readU64 } from "./record.ts";
import {
  nextTensor,
  readTensorDtype,
  readTensorName,
  readTensorPlace,
  readTensorShape,
  tensorHeadBytes,
  writeInlineName,
  writeTensor,
} from "./tensor_record.ts";

/** Names of the model's inputs and outputs; the protocol speaks of them by index. */
export interface NameTables {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Stands for the memory of a request that is answered. */
function givenBack(when: string): Region {
  const refuse = (): never => {
    throw defect(
      `The request was read after ${when}, when its memory may hold other requests. Read what you need of it before, ` +
        "and clone() the tensors that must stay.",
    );
  };
  return Object.defineProperties(
    {},
    Object.fromEntries(Object.keys(makeRegion(0, new ArrayBuffer(0))).map((key) => [key, { get: refuse }])),
  ) as Region;
}

const GIVEN_BACK = givenBack("it was answered");
const GIVEN_BACK_BY_SENDER = givenBack(
  "its sender had sent the last response (a model without decoupled: true has one only)",
);

/** Reads a request's record; each field is read when it is asked for. */
export class RequestRecord {
  #region: Region;
  readonly #at: number;
  readonly #end: number;
  readonly #tables: NameTables;
  readonly inputCount: number;
  /** Where each input's head is, once one behind the first was asked for. */
  #inputsAt: number[] | undefined;

  /** @param limit where the memory ends in which the record must lie */
  constructor(region: Region, at: number, limit: number, tables: NameTables) {
    const end = at + region.u32[(at + L.REQUEST_RECORD_BYTES) / 4]!;
    const inputCount = region.u32[(at + L.REQUEST_INPUT_COUNT) / 4]!;
    if (!(at + L.REQUEST_SIZE + inputCount * L.TENSOR_SIZE <= end && end <= limit && end % 8 === 0)) {
      throw new Error("The server sent a request that does not fit into its block.");
    }
    this.#region = region;
    this.#at = at;
    this.#end = end;
    this.#tables = tables;
    this.inputCount = inputCount;
  }

  /** Nothing of it may be read any more. Whoever does so is told whether it was the model's own sender that ended it. */
  giveBackMemory(bySender: boolean): void {
    this.#region = bySender ? GIVEN_BACK_BY_SENDER : GIVEN_BACK;
  }

  #u32(field: number): number {
    return this.#region.u32[(this.#at + field) / 4]!;
  }

  #text(offsetField: number, bytes: number): string {
    return readText(this.#region, this.#at + this.#u32(offsetField), bytes, this.#end);
  }

  get declaredInputs(): readonly string[] {
    return this.#tables.inputs;
  }

  /** Where the next request of the batch begins. */
  get end(): number {
    return this.#end;
  }

  get id(): string {
    return this.#text(L.REQUEST_ID_OFFSET, this.#u32(L.REQUEST_ID_BYTES));
  }

  get correlationId(): number | bigint | string {
    const bytes = this.#u32(L.REQUEST_CORRELATION_BYTES);
    if (bytes > 0) return this.#text(L.REQUEST_CORRELATION_OFFSET, bytes);
    const wide = this.#region.u64[(this.#at + L.REQUEST_CORRELATION_ID) / 8]!;
    return wide <= Number.MAX_SAFE_INTEGER ? Number(wide) : wide;
  }

  get flags(): number {
    return this.#u32(L.REQUEST_FLAGS);
  }

  get timeoutUs(): number {
    return readU64(this.#region.u32, this.#at + L.REQUEST_TIMEOUT_US);
  }

  /** Whether the server traces the request. */
  get hasTrace(): boolean {
    return this.#u32(L.REQUEST_TRACE_OFFSET) !== 0;
  }

  /** What the server says of the span of its trace, as JSON; empty when it says nothing, or there is no trace. */
  get traceText(): string {
    return this.#text(L.REQUEST_TRACE_OFFSET, this.#u32(L.REQUEST_TRACE_BYTES));
  }

  /** Whether the server has said that nobody waits for the answer. It may say so at any time, also while JavaScript runs. */
  get cancelledWord(): boolean {
    return Atomics.load(this.#region.u32, (this.#at + L.REQUEST_CANCELLED) / 4) !== 0;
  }

  get parameters(): Parameters {
    const start = this.#at + this.#u32(L.REQUEST_PARAMETERS_OFFSET);
    return readParameters(this.#region, start, this.#u32(L.REQUEST_PARAMETER_COUNT), this.#end);
  }

  /** Whether the client wants the output of this index. */
  wants(output: number): boolean {
    const first = this.#firstRequested();
    const count = this.requestedCount;
    for (let i = 0; i < count; i++) {
      if (this.#region.u32[first + i] === output) return true;
    }
    return false;
  }

  get requestedOutputs(): string[] {
    const first = this.#firstRequested();
    const names: string[] = [];
    const count = this.requestedCount;
    for (let i = 0; i < count; i++) {
      const name = this.#tables.outputs[this.#region.u32[first + i]!];
      if (name !== undefined) names.push(name);
    }
    return names;
  }

  /** Index of the word with the first one. */
  #firstRequested(): number {
    return (this.#at + this.#u32(L.REQUEST_REQUESTED_OFFSET)) / 4;
  }

  /** How many outputs the client wants; none when the model wrote over the record, so that the list leads out of it. */
  get requestedCount(): number {
    const count = this.#u32(L.REQUEST_REQUESTED_COUNT);
    return count <= this.#tables.outputs.length && this.#firstRequested() + count <= this.#end / 4 ? count : 0;
  }

  #inputAt(index: number): number {
    const first = this.#at + L.REQUEST_SIZE;
    return index === 0 ? first : (this.#inputsAt ?? this.#findInputs(first))[index]!;
  }

  #findInputs(first: number): number[] {
    const found: number[] = [];
    let at = first;
    for (let i = 0; i < this.inputCount; i++) {
      found.push(at);
      at = nextTensor(this.#region, at, this.#end);
    }
    this.#inputsAt = found;
    return found;
  }

  inputName(index: number): string {
    return readTensorName(this.#region, this.#inputAt(index), this.#at, this.#end, this.#tables.inputs);
  }

  inputDtype(index: number): Dtype {
    return readTensorDtype(this.#region, this.#inputAt(index));
  }

  inputDatatype(index: number): DataType {
    return this.inputDtype(index).name;
  }

  inputShape(index: number): number[] {
    return readTensorShape(this.#region, this.#inputAt(index), this.#end);
  }

  inputPlace(index: number): Place {
    return readTensorPlace(this.#region, this.#inputAt(index));
  }
}

/** An input of a request to be written. */
export interface RequestInput {
  /** Index in the table of inputs, or a name that is not in it. */
  readonly name: number | string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

/** A request to be written. */
export interface RequestContent {
  readonly id: string;
  readonly correlationId: number | bigint | string;
  readonly flags: number;
  readonly timeoutUs: number;
  readonly parameters: Parameters;
  /** The context of its trace, as JSON; undefined when it is not traced. */
  readonly trace?: string | undefined;
  /** Indices of the outputs that are wanted. */
  readonly requested: readonly number[];
  readonly inputs: readonly RequestInput[];
}

/** A request whose size is known. */
export class MeasuredRequest {
  readonly bytes: number;
  readonly #content: RequestContent;
  readonly #id: Buffer;
  readonly #correlation: Buffer;
  readonly #trace: Buffer;
  readonly #parameters: readonly EncodedParameter[];
  readonly #names: readonly Buffer[];

  constructor(content: RequestContent) {
    const { correlationId, inputs } = content;
    this.#content = content;
    this.#id = Buffer.from(content.id);
    this.#correlation = Buffer.from(typeof correlationId === "string" ? correlationId : "");
    this.#trace = Buffer.from(content.trace ?? "");
    this.#parameters = encodeParameters("Request", content.parameters);
    this.#names = inputs.map(({ name }) => Buffer.from(typeof name === "string" ? name : ""));
    let bytes = L.REQUEST_SIZE + parametersBytes(this.#parameters) + align(content.requested.length * 4, 8);
    for (const text of [this.#id, this.#correlation, this.#trace, ...this.#names]) bytes += align(text.length, 8);
    for (const { shape } of inputs) bytes += tensorHeadBytes(shape.length);
    this.bytes = bytes;
  }

  /** @param places where the data of each input lies */
  write(region: Region, record: number, places: readonly Place[]): void {
    const { correlationId, inputs, requested, flags, timeoutUs, trace } = this.#content;
    const { u8, u32, u64 } = region;
    const put = (field: number, value: number) => {
      u32[(record + field) / 4] = value;
    };
    let at = record + L.REQUEST_SIZE;
    const heads = inputs.map(({ name, dtype, shape }, i) => {
      const head = at;
      at = writeTensor(region, at, typeof name === "number" ? name : L.NAME_INLINE, dtype, shape, places[i]!);
      return head;
    });
    /** Writes a text and gives its offset in the record. */
    const putText = (text: Buffer): number => {
      const offset = at - record;
      u8.set(text, at);
      at += align(text.length, 8);
      return offset;
    };
    this.#names.forEach((name, i) => {
      if (name.length > 0) writeInlineName(region, heads[i]!, putText(name), name.length);
    });
    put(L.REQUEST_RECORD_BYTES, this.bytes);
    put(L.REQUEST_FLAGS, flags);
    u64[(record + L.REQUEST_CORRELATION_ID) / 8] = typeof correlationId === "string" ? 0n : BigInt(correlationId);
    u64[(record + L.REQUEST_TIMEOUT_US) / 8] = BigInt(timeoutUs);
    put(L.REQUEST_ID_OFFSET, putText(this.#id));
    put(L.REQUEST_ID_BYTES, this.#id.length);
    put(L.REQUEST_CORRELATION_OFFSET, putText(this.#correlation));
    put(L.REQUEST_CORRELATION_BYTES, this.#correlation.length);
    put(L.REQUEST_TRACE_OFFSET, trace === undefined ? 0 : putText(this.#trace));
    put(L.REQUEST_TRACE_BYTES, this.#trace.length);
    put(L.REQUEST_REQUESTED_OFFSET, at - record);
    put(L.REQUEST_REQUESTED_COUNT, requested.length);
    u32.set(requested, at / 4);
    at += align(requested.length * 4, 8);
    put(L.REQUEST_PARAMETERS_OFFSET, at - record);
    put(L.REQUEST_PARAMETER_COUNT, this.#parameters.length);
    writeParameters(region, at, this.#parameters);
    put(L.REQUEST_INPUT_COUNT, inputs.length);
    put(L.REQUEST_CANCELLED, 0);
  }
}
