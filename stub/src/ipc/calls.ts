// SPDX-License-Identifier: Apache-2.0
import type { CallContent, Caller, CallListener, OpenCall } from "../api/caller.ts";
import { defect, TritonError } from "../api/errors.ts";
import { InferenceResponse, receivedResponse } from "../api/response.ts";
import * as L from "../protocol/layout.gen.ts";
import type { AnswerMemory } from "./answer_memory.ts";
import { CallInputs } from "./call_inputs.ts";
import { MeasuredCall, readOwner } from "./call_record.ts";
import { CallSlots } from "./call_slots.ts";
import type { Entry, Owner } from "./entries.ts";
import type { Place } from "./record.ts";
import { type RequestLife, requestOfTrace } from "./request_life.ts";
import { readResponse } from "./response_record.ts";
import type { SharedMemory } from "./shared_memory.ts";
import { SharedSignals } from "./shared_signals.ts";

/** What calls need of the connection. */
export interface CallSettings {
  readonly memory: SharedMemory;
  readonly answers: AnswerMemory;
  /** Sends an entry, together with what else is sent in this turn of the event loop. */
  post(kind: number, owner: Owner, place?: Place): void;
  /** Frees a block once the server has read what was sent before. */
  freeLater(block: Place): void;
  /** The first call was made, or the last one is over. */
  onUse(isInUse: boolean): void;
  /** The request that JavaScript runs for, if it is one. */
  parent(): RequestLife | undefined;
  /** The open request that memory is an input of. */
  ownerOf(place: Place): RequestLife | undefined;
}

/** One call, from the moment it is made to its last response. */
class Call implements OpenCall {
  readonly content: CallContent;
  readonly listener: CallListener;
  readonly parent: RequestLife | undefined;
  readonly inputs: CallInputs;
  /** Its record, and behind it the inputs that were copied. */
  readonly block: Place;
  readonly recordBytes: number;
  /** As the server knows it; undefined until there is a free slot, and when it is over. */
  owner: Owner | undefined;
  isCancelled = false;
  readonly #onCancel: (call: Call) => void;

  constructor(
    content: CallContent,
    listener: CallListener,
    parent: RequestLife | undefined,
    inputs: CallInputs,
    block: Place,
    recordBytes: number,
    onCancel: (call: Call) => void,
  ) {
    this.content = content;
    this.listener = listener;
    this.parent = parent;
    this.inputs = inputs;
    this.block = block;
    this.recordBytes = recordBytes;
    this.#onCancel = onCancel;
  }

  cancel(): void {
    if (this.isCancelled) return;
    this.isCancelled = true;
    this.#onCancel(this);
  }
}

const NO_CALL: OpenCall = { cancel: () => {} };

/** The calls of other models that this process has made. */
export class Calls implements Caller {
  readonly #settings: CallSettings;
  readonly #slots = new CallSlots<Call>();
  readonly #signals = new SharedSignals();
  /** Beyond what the server takes: they are written already and go when others are over. */
  readonly #waiting = new Set<Call>();

  constructor(settings: CallSettings) {
    this.#settings = settings;
  }

  call(content: CallContent, listener: CallListener): OpenCall {
    if (content.signal?.aborted) return this.#failLater(listener, notMadeError(content.modelName));
    let call: Call;
    try {
      call = this.#write(content, listener);
    } catch (error) {
      return this.#failLater(listener, writeError(content.modelName, error));
    }
    if (content.signal !== undefined) this.#signals.add(content.signal, call);
    if (this.#slots.isEmpty && this.#waiting.size === 0) this.#settings.onUse(true);
    if (this.#slots.hasRoom) this.#send(call);
    else this.#waiting.add(call);
    return call;
  }

  /** After `call` has returned, as always. */
  #failLater(listener: CallListener, error: TritonError): OpenCall {
    queueMicrotask(() => listener(new InferenceResponse([], { error }), true));
    return NO_CALL;
  }

  #write(content: CallContent, listener: CallListener): Call {
    const { memory, answers, ownerOf } = this.#settings;
    const parent = this.#settings.parent();
    const inputs = new CallInputs(memory, answers, ownerOf, parent);
    try {
      const measured = new MeasuredCall(content, (input) => inputs.placeOf(input));
      const { recordBytes, dataBytes } = measured;
      if (recordBytes > L.MAX_RECORD_BYTES) {
        throw new TritonError(
          `The parameters and names of a call of model '${content.modelName}' take ${recordBytes} bytes, but at most ` +
            `${L.MAX_RECORD_BYTES} fit. Send large values as inputs.`,
        );
      }
      const what = `a call of model '${content.modelName}'`;
      const block = memory.allocate(recordBytes + dataBytes, what, "make fewer or smaller calls at a time");
      this.#writeInto(block, measured, parent, tracedBy(content, parent));
      return new Call(content, listener, parent, inputs, block, recordBytes, (call) => this.#cancel(call));
    } catch (error) {
      inputs.giveUp();
      throw error;
    }
  }

  #writeInto(
    block: Place,
    measured: MeasuredCall,
    parent: RequestLife | undefined,
    traced: RequestLife | undefined,
  ): void {
    const { memory, freeLater } = this.#settings;
    try {
      measured.write(memory.region(block.region), block.offset, parent, traced);
    } catch (error) {
      freeLater(block);
      throw error;
    }
  }

  #send(call: Call): void {
    const { region, offset } = call.block;
    call.owner = this.#slots.take(call);
    this.#settings.post(L.ENTRY_CALL, call.owner, { region, offset, bytes: call.recordBytes });
  }

  #cancel(call: Call): void {
    if (call.owner !== undefined) {
      this.#settings.post(L.ENTRY_CALL_CANCEL, call.owner);
    } else if (this.#waiting.delete(call)) {
      this.#end(call);
      this.#failLater(call.listener, notMadeError(call.content.modelName));
    }
  }

  /** Nobody waits for a request any more, and so for the calls that were made for it. */
  cancelOf(parent: Owner): void {
    for (const call of [...this.#slots.values(), ...this.#waiting]) {
      if (call.parent !== undefined && isSame(call.parent, parent)) call.cancel();
    }
  }

  /** A response has come. Throws when it is to no call: then nobody knows any more what belongs to what. */
  onResponse(entry: Entry): void {
    const call = this.#slots.find(entry);
    if (call === undefined) {
      throw new Error(
        `The server sent a response to call ${entry.index}, generation ${entry.generation}, which is not open.`,
      );
    }
    const isFinal = (entry.flags & L.CALL_RESPONSE_FINAL) !== 0;
    const response = this.#read(entry, call.content.modelName);
    if (isFinal) {
      this.#slots.free(entry.index);
      this.#end(call);
      for (const next of this.#waiting) {
        if (!this.#slots.hasRoom) break;
        this.#waiting.delete(next);
        this.#send(next);
      }
    }
    if (response !== undefined || isFinal) call.listener(response, isFinal);
  }

  #read({ place, flags }: Entry, modelName: string): InferenceResponse | undefined {
    if ((flags & L.CALL_RESPONSE_LOST) !== 0) return new InferenceResponse([], { error: lostError(modelName) });
    if (place.bytes === 0) return undefined;
    const { memory, answers } = this.#settings;
    const region = memory.region(place.region);
    const owner = readOwner(region, place.offset + L.ANSWER_OWNER);
    const record = place.offset + L.ANSWER_SIZE;
    const { error, outputs, parameters } = readResponse(region, record, place.offset + place.bytes, []);
    const tensors = answers.take(owner, outputs);
    if (error === undefined) return receivedResponse(tensors, parameters, answers);
    return new InferenceResponse([], { error: new TritonError(error.message, error.code) });
  }

  /** Gives back what a call held. */
  #end(call: Call): void {
    call.owner = undefined;
    call.isCancelled = true; // nothing is to be cancelled any more
    const { signal } = call.content;
    if (signal !== undefined) this.#signals.delete(signal, call);
    call.inputs.giveUp();
    this.#settings.freeLater(call.block);
    if (this.#slots.isEmpty && this.#waiting.size === 0) this.#settings.onUse(false);
  }
}

/** The request whose trace a call is a part of, if there is one: a trace ends with its request. */
function tracedBy({ trace }: CallContent, parent: RequestLife | undefined): RequestLife | undefined {
  if (trace === null) return undefined;
  const request = trace === undefined ? parent : requestOfTrace(trace);
  return request?.isTraced ? request : undefined;
}

function isSame(a: Owner, b: Owner): boolean {
  return a.table === b.table && a.index === b.index && a.generation === b.generation && a.item === b.item;
}

/** What cannot be written, such as a shape that was spoilt after its tensor was made, fails the call. */
function writeError(modelName: string, error: unknown): TritonError {
  if (error instanceof TritonError) return error;
  return defect(`The call of model '${modelName}' cannot be written: ${(error as Error)?.message ?? error}`, {
    cause: error,
  });
}

function lostError(modelName: string): TritonError {
  return new TritonError(
    `Failed to increase the shared memory pool size: a response of model '${modelName}' does not fit into the limit. ` +
      "Raise --backend-config=typescript,shm-max-byte-size, or keep fewer answers.",
    "UNAVAILABLE",
  );
}

function notMadeError(modelName: string): TritonError {
  return new TritonError(`The call of model '${modelName}' was cancelled before it was made.`, "CANCELLED");
}
