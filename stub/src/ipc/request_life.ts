// SPDX-License-Identifier: Apache-2.0
import type { DataType, TensorData } from "../api/datatype.ts";
import { defect, TritonError } from "../api/errors.ts";
import type { RequestSource } from "../api/request_source.ts";
import type { ResponseSender } from "../api/response_sender.ts";
import { type Tensor, type TensorPlace, trustedTensor } from "../api/tensor.ts";
import { sourceOfTrace, type Trace, type TraceContext, traceFromSource } from "../api/trace.ts";
import { type Dtype, dtypeOfName } from "./dtype.ts";
import type { Outbox, Owner } from "./entries.ts";
import type { Place, Region } from "./record.ts";
import { type NameTables, RequestRecord } from "./request_record.ts";
import type { SharedMemory } from "./shared_memory.ts";

/** The states of a request (docs/protocol.md) that its stub sees. The others are the server's alone. */
export const RequestState = {
  /** The entry that brought it was published: the request is open, it may be answered. */
  RUNNING: 1,
  /** Its final response is written: what the model still holds of it is stale. */
  ANSWERED: 2,
} as const;
export type RequestState = (typeof RequestState)[keyof typeof RequestState];

/** What a model may do with a request beside reading it, and what only the runtime knows how to. */
export interface Exchange {
  responseSender(): ResponseSender;
  reschedule(): void;
  /** Whether the model has closed the sender, or has sent all that it may send. */
  readonly endedBySender: boolean;
}

/** How a request came here, which it has in common with the others of its batch. */
export interface Arrival {
  readonly memory: SharedMemory;
  readonly tables: NameTables;
  /** Views become empty when their request is answered, so that one that is kept too long is noticed. */
  readonly strictViews: boolean;
  /** The batch in the server's table, and the generation of that slot. */
  readonly table: number;
  readonly index: number;
  readonly generation: number;
  /** When the server got the batch, in milliseconds on the clock of `performance.now()`. */
  readonly takenMs: number;
  makeExchange(request: RequestLife): Exchange;
  /** A request has its final response. */
  noteAnswered(): void;
}

/** Where an output lies that the model allocated; the memory is the request's and is freed with it. */
interface AllocatedPlace extends TensorPlace {
  readonly request: RequestLife;
}

/**
 * One request from its arrival to its final response: what it holds of shared memory is given back when it is closed,
 * whatever becomes of the other requests of its batch. It is its own record, as there is one for each request.
 */
export class RequestLife extends RequestRecord implements RequestSource, Owner {
  readonly #arrival: Arrival;
  /** Its number in the batch. */
  readonly item: number;
  /** What is done when nobody waits for the answer any more. */
  onCancel: (() => void) | undefined;
  #exchange: Exchange | undefined;
  #trace: Trace | undefined;
  #isCancelled = false;
  #cancelling: AbortController | undefined;
  #state: RequestState = RequestState.RUNNING;
  /** Buffers to detach at the end. */
  #views: ArrayBufferLike[] | undefined;
  /** Blocks that the model allocated outputs in. */
  #allocated: Place[] | undefined;
  /** Calls of other models that read inputs or outputs of the request where they lie. */
  #borrowers = 0;
  #onReturned: (() => void) | undefined;

  constructor(arrival: Arrival, item: number, region: Region, at: number, limit: number) {
    super(region, at, limit, arrival.tables);
    this.#arrival = arrival;
    this.item = item;
  }

  get table(): number {
    return this.#arrival.table;
  }

  get index(): number {
    return this.#arrival.index;
  }

  get generation(): number {
    return this.#arrival.generation;
  }

  /** Whether it may still be answered. */
  get isOpen(): boolean {
    return this.#state === RequestState.RUNNING;
  }

  get isCancelled(): boolean {
    // The word is read while the request is open only: its memory is another request's afterwards.
    if (!this.#isCancelled && this.isOpen) this.#isCancelled = this.cancelledWord;
    return this.#isCancelled;
  }

  get signal(): AbortSignal {
    if (this.#cancelling === undefined) {
      this.#cancelling = new AbortController();
      if (this.isCancelled) this.#abort(this.#cancelling);
    }
    return this.#cancelling.signal;
  }

  /** The server says that nobody waits for the answer any more. */
  cancel(): void {
    this.#isCancelled = true;
    if (this.#cancelling !== undefined) this.#abort(this.#cancelling);
    this.onCancel?.();
  }

  #abort(controller: AbortController): void {
    controller.abort(new TritonError("The request was cancelled.", "CANCELLED"));
  }

  get deadlineMs(): number | undefined {
    const { timeoutUs } = this;
    return timeoutUs === 0 ? undefined : this.#arrival.takenMs + timeoutUs / 1000;
  }

  /** Whether the server traces it. Once it is answered, its trace is over. */
  get isTraced(): boolean {
    return this.isOpen && this.hasTrace;
  }

  get trace(): Trace | undefined {
    if (this.#trace === undefined && this.hasTrace) this.#trace = traceFromSource(this, parseContext(this.traceText));
    return this.#trace;
  }

  /** What the runtime keeps for the request, made when it is first asked for. */
  get exchange(): Exchange {
    this.#exchange ??= this.#arrival.makeExchange(this);
    return this.#exchange;
  }

  /** The same, if it was ever asked for. */
  get madeExchange(): Exchange | undefined {
    return this.#exchange;
  }

  responseSender(): ResponseSender {
    return this.exchange.responseSender();
  }

  reschedule(): void {
    this.exchange.reschedule();
  }

  inputData(index: number, name: string): TensorData {
    if (!this.isOpen) {
      throw defect(`Input '${name}' was read after its request was answered. Read or clone() it before.`);
    }
    return this.#view(this.inputDtype(index), this.inputPlace(index));
  }

  allocateOutput(name: string, datatype: DataType, shape: number[], elementCount: number): Tensor {
    if (!this.isOpen) throw defect(`Output '${name}' was allocated after its request was answered.`);
    const dtype = dtypeOfName(datatype);
    const bytes = elementCount * dtype.bytes;
    const block = this.#arrival.memory.allocateCleared(bytes, `output '${name}'`);
    this.#allocated ??= [];
    this.#allocated.push(block);
    const place: AllocatedPlace = { region: block.region, offset: block.offset, byteLength: bytes, request: this };
    return trustedTensor(name, datatype, shape, this.#view(dtype, block), place);
  }

  #view(dtype: Dtype, place: Place): TensorData {
    const { memory, strictViews } = this.#arrival;
    if (!strictViews) return memory.view(dtype, place);
    const data = memory.detachableView(dtype, place);
    this.#views ??= [];
    this.#views.push(data.buffer);
    return data;
  }

  /** The final response is made: the request cannot be answered any more, and what the model holds of it is stale. */
  close(): void {
    // The last look at the word.
    this.#isCancelled = this.isCancelled;
    this.#state = RequestState.ANSWERED;
    this.giveBackMemory(this.#exchange?.endedBySender === true);
    this.onCancel = undefined;
    if (this.#views !== undefined) for (const buffer of this.#views) this.#arrival.memory.detach(buffer);
    this.#arrival.noteAnswered();
  }

  /** Another model reads memory of the request, which must stay open at the server until that is over. */
  borrow(): void {
    this.#borrowers++;
  }

  giveBack(): void {
    if (--this.#borrowers > 0) return;
    const onReturned = this.#onReturned;
    this.#onReturned = undefined;
    onReturned?.();
  }

  get isBorrowed(): boolean {
    return this.#borrowers > 0;
  }

  /** Sets what is done when nobody borrows memory of the request any more. */
  whenReturned(onReturned: () => void): void {
    this.#onReturned = onReturned;
  }

  /** The final response stands in the outbox: the blocks that outputs were allocated in are free behind it. */
  release(outbox: Outbox): void {
    if (this.#allocated !== undefined) for (const block of this.#allocated) outbox.freeLater(block);
  }
}

/** The headers of a trace, of which the server may say more, and others may have said something. */
function parseContext(text: string): TraceContext {
  const context: Record<string, string> = {};
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    // It says nothing.
  }
  for (const name of ["traceparent", "tracestate"]) {
    const value = (said as Record<string, unknown> | null | undefined)?.[name];
    if (typeof value === "string") context[name] = value;
  }
  return Object.freeze(context);
}

/** The request that a trace is of. */
export function requestOfTrace(trace: Trace): RequestLife {
  return sourceOfTrace(trace) as RequestLife;
}

/** The request that an output was allocated for. */
export function requestOfPlace(place: TensorPlace): RequestLife {
  return (place as AllocatedPlace).request;
}

/** Where an output lies that a model allocated, or undefined. Throws when that memory may belong to somebody else by now. */
export function allocatedPlace(name: string, place: TensorPlace | undefined): Place | undefined {
  if (place === undefined) return undefined;
  if ((place as AllocatedPlace).request.isOpen) {
    return { region: place.region, offset: place.offset, bytes: place.byteLength };
  }
  throw defect(
    `Output '${name}' was allocated for a request that is answered already. Allocate it for the request at hand.`,
  );
}
