// SPDX-License-Identifier: Apache-2.0
import { TritonError } from "../api/errors.ts";
import type { Parameters } from "../api/parameters.ts";
import { type Tensor, trustedTensor } from "../api/tensor.ts";
import * as L from "../protocol/layout.gen.ts";
import { type ReceivedCall, readCall } from "./call_record.ts";
import type { Entry, Owner } from "./entries.ts";
import type { MemoryNative } from "./memory_native.ts";
import { align, makeRegion, type Place, type Region } from "./record.ts";
import { type AnswerError, measureResponse, writeResponse } from "./response_record.ts";
import { nextTensor, writeInlineName } from "./tensor_record.ts";

/** A response of a model that is a function. */
export interface HostAnswer {
  readonly outputs?: readonly Tensor[];
  readonly parameters?: Parameters;
  readonly error?: AnswerError;
}

/** A model of the server: it answers a call, at once or later. What it throws is its last answer. */
export type HostModel = (call: HostCall) => void | Promise<void>;

const NOWHERE: Place = { region: 0, offset: 0, bytes: 0 };

/** A call that has come in. */
export class HostCall implements Owner {
  readonly content: ReceivedCall;
  readonly table: number;
  readonly index: number;
  readonly generation: number;
  readonly item = 0;
  /** Nobody waits for it any more. */
  isCancelled = false;
  isOver = false;
  /** What is done when nobody waits any more. */
  onCancel: () => void = () => {};
  readonly #calls: MemoryCalls;

  constructor(calls: MemoryCalls, owner: Owner, content: ReceivedCall) {
    this.#calls = calls;
    this.content = content;
    this.table = owner.table;
    this.index = owner.index;
    this.generation = owner.generation;
  }

  /** The input called `name` as it is now, with data of its own. */
  input(name: string): Tensor {
    return this.#calls.copyInput(this.content, name);
  }

  /** Gives a response, which is the last one unless it is said otherwise. */
  respond(answer: HostAnswer, isFinal = true): void {
    this.#calls.respond(this, answer, isFinal);
  }

  /** Says that there are no more responses. */
  end(): void {
    this.#calls.respond(this, undefined, true);
  }
}

/** The other models of a server in memory: functions that are called as the shim calls models. */
export class MemoryCalls {
  readonly #native: MemoryNative;
  readonly #models: Readonly<Record<string, HostModel>>;
  readonly #open = new Map<number, HostCall>();
  /** How often each place of the stub's table was used. */
  readonly #generations = new Map<number, number>();
  /** Blocks of answers that the stub has not given back, by generation, which no two answers share. */
  readonly #answers = new Map<number, Place>();
  #generation = 0;
  /** How many calls have come in. */
  count = 0;

  constructor(native: MemoryNative, models: Readonly<Record<string, HostModel>>) {
    this.#native = native;
    this.#models = models;
  }

  /** How many answers the stub has not given back. */
  get answerCount(): number {
    return this.#answers.size;
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** Takes an entry about calls. Returns false for one that is about something else. */
  onEntry(entry: Entry): boolean {
    if (entry.kind === L.ENTRY_CALL) this.#onCall(entry);
    else if (entry.kind === L.ENTRY_CALL_CANCEL) this.#onCancel(entry);
    else if (entry.kind === L.ENTRY_FREE) this.#onFree(entry);
    else return false;
    return true;
  }

  #onCall(entry: Entry): void {
    const { table, index, generation, place } = entry;
    const isSound = table === L.TABLE_CALLS && index < L.MAX_CALLS && entry.item === 0;
    if (!isSound || this.#open.has(index) || generation <= (this.#generations.get(index) ?? 0)) {
      throw new Error(`The stub sent a call of slot ${index}, generation ${generation}, which cannot be.`);
    }
    this.#generations.set(index, generation);
    const content = readCall(this.#region(place.region), place.offset, place.offset + place.bytes);
    const call = new HostCall(this, entry, content);
    for (const { name } of content.inputs) call.input(name); // which the shim reads at once, too
    this.#open.set(index, call);
    this.count++;
    // Not at once: an entry is handled before the next one comes.
    queueMicrotask(() => void this.#run(call));
  }

  async #run(call: HostCall): Promise<void> {
    const { modelName } = call.content;
    try {
      const model = Object.hasOwn(this.#models, modelName) ? this.#models[modelName] : undefined;
      if (model === undefined) {
        throw new TritonError(`Request for unknown model: '${modelName}' is not found`, "NOT_FOUND");
      }
      await model(call);
    } catch (error) {
      const { message, code = "INTERNAL" } = error as TritonError;
      call.respond({ error: { message, code } });
    }
  }

  #onCancel({ table, index, generation }: Entry): void {
    if (table !== L.TABLE_CALLS || !(generation <= (this.#generations.get(index) ?? 0))) {
      throw new Error(`The stub cancelled call ${index}, generation ${generation}, which it never made.`);
    }
    const call = this.#open.get(index);
    if (call?.generation !== generation) return; // it is over
    call.isCancelled = true;
    call.onCancel();
  }

  #onFree({ table, generation }: Entry): void {
    const block = this.#answers.get(generation);
    if (table !== L.TABLE_ANSWERS || block === undefined) {
      throw new Error(`The stub gave back answer ${generation}, which it does not have.`);
    }
    this.#answers.delete(generation);
    this.#region(block.region).u8.fill(0xee, block.offset, block.offset + block.bytes);
    this.#native.inbound.free(block);
  }

  #region(id: number): Region {
    return makeRegion(id, this.#native.region(id));
  }

  copyInput({ inputs, modelName }: ReceivedCall, name: string): Tensor {
    const input = inputs.find((candidate) => candidate.name === name);
    if (input === undefined) throw new TritonError(`The call of model '${modelName}' has no input '${name}'.`);
    const { dtype, shape, place } = input;
    const data = new dtype.array(this.#copy(place), 0, place.bytes / dtype.bytes);
    return trustedTensor(name, dtype.name, shape, data);
  }

  #copy({ region, offset, bytes }: Place): ArrayBuffer {
    if (bytes === 0) return new ArrayBuffer(0);
    const { buffer } = this.#region(region);
    if (!(offset + bytes <= buffer.byteLength)) throw new Error("An input of a call leads out of its region.");
    return buffer.slice(offset, offset + bytes);
  }

  respond(call: HostCall, answer: HostAnswer | undefined, isFinal: boolean): void {
    if (call.isOver)
      throw new Error(`A call of model '${call.content.modelName}' was answered after its last response.`);
    const place = answer === undefined ? NOWHERE : this.#write(answer);
    const lost = place === undefined ? L.CALL_RESPONSE_LOST : 0;
    if (isFinal) {
      call.isOver = true;
      this.#open.delete(call.index);
    }
    this.#native.deliver(L.ENTRY_CALL_RESPONSE, lost | (isFinal ? L.CALL_RESPONSE_FINAL : 0), call, place ?? NOWHERE);
  }

  /** Writes an answer as the shim does: whose it is, the response, the names of its outputs, then their data. Undefined: no room. */
  #write({ outputs = [], parameters = {}, error }: HostAnswer): Place | undefined {
    const names = outputs.map(({ name }) => Buffer.from(name));
    const outputIndices = outputs.map(() => L.NAME_INLINE);
    const measured = measureResponse({ error, outputs, outputIndices, parameters }, () => undefined);
    const namesAt = measured.recordBytes;
    const textBytes = names.reduce((sum, name) => sum + align(name.length, 8), 0);
    const recordBytes = align(L.ANSWER_SIZE + namesAt + textBytes, L.DATA_ALIGNMENT) - L.ANSWER_SIZE;
    const block = this.#native.inbound.allocate(L.ANSWER_SIZE + recordBytes + measured.dataBytes);
    if (block === undefined) return undefined;
    const region = this.#region(block.region);
    const record = block.offset + L.ANSWER_SIZE;
    writeResponse(region, record, { ...measured, recordBytes });
    let head = record + L.RESPONSE_SIZE;
    let text = record + namesAt;
    for (const name of names) {
      const next = nextTensor(region, head, record + recordBytes);
      writeInlineName(region, head, text - record, name.length);
      region.u8.set(name, text);
      text += align(name.length, 8);
      head = next;
    }
    const generation = ++this.#generation;
    this.#answers.set(generation, { ...block, bytes: L.ANSWER_SIZE + recordBytes + measured.dataBytes });
    const owner = (block.offset + L.ANSWER_OWNER) / 4;
    region.u32.set([L.TABLE_ANSWERS, 0, generation, 0], owner);
    return { region: block.region, offset: block.offset, bytes: L.ANSWER_SIZE + recordBytes };
  }
}
