// SPDX-License-Identifier: Apache-2.0
import type { Parameters } from "../api/parameters.ts";
import { type Tensor, trustedTensor } from "../api/tensor.ts";
import * as L from "../protocol/layout.gen.ts";
import { dtypeOfName } from "./dtype.ts";
import type { Entry } from "./entries.ts";
import { type HostModel, MemoryCalls } from "./memory_calls.ts";
import type { MemoryNative, MemoryServer } from "./memory_native.ts";
import { align, makeRegion, type Place, type Region } from "./record.ts";
import { MeasuredRequest, type NameTables } from "./request_record.ts";
import { type AnswerError, type ReceivedOutput, readResponse } from "./response_record.ts";
import { contentOf, copyContent } from "./tensor_data.ts";

/** An input whose data lies somewhere already, in a client's region. */
export interface LentInput {
  readonly tensor: Tensor;
  readonly place: Place;
}

/** A request as a client sends it. */
export interface HostRequest {
  readonly id?: string;
  readonly correlationId?: number | bigint | string;
  readonly flags?: number;
  readonly timeoutUs?: number;
  readonly parameters?: Parameters;
  /** The server traces it: what it says of its span, as JSON. */
  readonly trace?: string;
  /** Default: all outputs. */
  readonly requestedOutputs?: readonly string[];
  readonly inputs?: readonly (Tensor | LentInput)[];
  /** Nobody waits for the answer any more, from the beginning. */
  readonly cancelled?: boolean;
}

export interface HostOutput {
  /** With data of its own. */
  readonly tensor: Tensor;
  /** Where the data lay. */
  readonly place: Place;
}

/** A response as a client gets it. */
export interface HostResponse {
  readonly final: boolean;
  /** It says only that there are no more. */
  readonly isEmpty: boolean;
  readonly error: AnswerError | undefined;
  readonly outputs: readonly HostOutput[];
  readonly parameters: Parameters;
}

/** A batch and what came back for it. */
export class HostBatch {
  /** The responses to each request, in the order in which they came. */
  readonly responses: readonly HostResponse[][];
  /** The requests that were given back to the scheduler, which ends them here. */
  readonly rescheduled = new Set<number>();
  /** Settled when the last request has its final response. */
  readonly done: Promise<void>;
  /** Whether the model has executed it, though requests of it are open. */
  isSettled = false;
  /** Tells the stub that nobody waits for a request any more. */
  readonly cancel: (item: number) => void;
  readonly #decoupled: boolean;
  readonly #ended = new Set<number>();
  #finish: () => void = () => {};

  constructor(requests: number, decoupled: boolean, cancel: (item: number) => void) {
    this.responses = Array.from({ length: requests }, () => []);
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.#decoupled = decoupled;
    this.cancel = cancel;
  }

  /** Takes a response, and returns whether it was the last one of the batch. */
  take(item: number, response: HostResponse): boolean {
    this.#requireOpen(item, "answered");
    if (!this.#decoupled && (response.isEmpty || !response.final)) {
      throw new Error(`Request ${item} must have exactly one response, with its data.`);
    }
    this.responses[item]!.push(response);
    return response.final && this.#end(item);
  }

  /** The scheduler gets a request back. Returns as above. */
  takeBack(item: number): boolean {
    this.#requireOpen(item, "rescheduled");
    this.rescheduled.add(item);
    return this.#end(item);
  }

  settle(): void {
    if (this.isSettled) throw new Error("The stub settled a batch twice.");
    this.isSettled = true;
  }

  #requireOpen(item: number, what: string): void {
    if (!(item < this.responses.length))
      throw new Error(`There is no request ${item} in a batch of ${this.responses.length}.`);
    if (this.#ended.has(item)) throw new Error(`Request ${item} was ${what} after its final response.`);
  }

  #end(item: number): boolean {
    this.#ended.add(item);
    if (this.#ended.size < this.responses.length) return false;
    this.#finish();
    return true;
  }
}

/** A batch in flight. */
interface Slot {
  readonly batch: HostBatch;
  readonly block: Place;
  readonly index: number;
}

const NOWHERE: Place = { region: 0, offset: 0, bytes: 0 };

/** What a host is told about the model. */
export interface HostSettings extends NameTables {
  /** A request may have any number of responses. */
  readonly decoupled?: boolean;
  /** The other models of the server, which the model may call. */
  readonly models?: Readonly<Record<string, HostModel>>;
}

/** The server's end of a connection in memory: hands batches to the stub and reads its responses. */
export class MemoryHost implements MemoryServer {
  readonly #native: MemoryNative;
  readonly #settings: HostSettings;
  /** By generation, which no two batches share. */
  readonly #slots = new Map<number, Slot>();
  readonly #regions = new Map<number, Region>();
  /** Calls of other models. */
  readonly calls: MemoryCalls;
  #generation = 0;

  constructor(native: MemoryNative, settings: HostSettings) {
    this.calls = new MemoryCalls(native, settings.models ?? {});
    this.#native = native;
    this.#settings = settings;
    native.server = this;
  }

  /** Sends requests as one batch. */
  execute(requests: readonly HostRequest[]): HostBatch {
    const { block, records } = this.#write(requests);
    // Slots of the table are used again.
    const owner = { table: L.TABLE_BATCHES, index: this.#freeIndex(), generation: ++this.#generation, item: 0 };
    const batch = new HostBatch(requests.length, this.#settings.decoupled === true, (item) => {
      // The memory is another batch's when this one is over; an entry may come too late all the same.
      if (this.#slots.has(owner.generation)) this.#setCancelled(block.region, records[item]!);
      this.#native.deliver(L.ENTRY_CANCEL, 0, { ...owner, item }, NOWHERE);
    });
    requests.forEach(({ cancelled }, i) => {
      if (cancelled) this.#setCancelled(block.region, records[i]!);
    });
    this.#slots.set(owner.generation, { batch, block, index: owner.index });
    this.#native.deliver(L.ENTRY_EXECUTE, 0, owner, block);
    return batch;
  }

  #freeIndex(): number {
    const used = new Set([...this.#slots.values()].map(({ index }) => index));
    let index = 0;
    while (used.has(index)) index++;
    return index;
  }

  #setCancelled(region: number, record: number): void {
    this.#region(region).u32[(record + L.REQUEST_CANCELLED) / 4] = 1;
  }

  onEntry(entry: Entry): void {
    if (this.calls.onEntry(entry)) return;
    const slot = this.#slots.get(entry.generation);
    if (entry.table !== L.TABLE_BATCHES || slot === undefined) {
      throw new Error(`The stub sent an entry of kind ${entry.kind} that belongs to no batch.`);
    }
    if (!this.#take(slot.batch, entry)) return;
    this.#slots.delete(entry.generation);
    this.#native.inbound.free(slot.block);
  }

  /** Returns whether the batch is over. */
  #take(batch: HostBatch, entry: Entry): boolean {
    const { kind, flags, item, place } = entry;
    const says = (flag: number) => (flags & flag) !== 0;
    if (kind === L.ENTRY_SETTLED) {
      batch.settle();
      return false;
    }
    if (kind !== L.ENTRY_RESPONSE) throw new Error(`The stub sent an entry of kind ${kind}, which is none of its own.`);
    if (!says(L.RESPONSE_RESCHEDULE)) return batch.take(item, this.#read(entry));
    if (place.bytes > 0 || says(L.RESPONSE_FINAL)) throw new Error(`Request ${item} was rescheduled with a response.`);
    return batch.takeBack(item);
  }

  #region(id: number): Region {
    let region = this.#regions.get(id);
    if (region === undefined) {
      region = makeRegion(id, this.#native.region(id));
      this.#regions.set(id, region);
    }
    return region;
  }

  #read({ flags, item, place }: Entry): HostResponse {
    const final = (flags & L.RESPONSE_FINAL) !== 0;
    if (place.bytes === 0) {
      if (!final) throw new Error(`Request ${item} got a response that says nothing.`);
      return { final, isEmpty: true, error: undefined, outputs: [], parameters: {} };
    }
    const limit = place.offset + place.bytes;
    const received = readResponse(this.#region(place.region), place.offset, limit, this.#settings.outputs);
    return {
      ...received,
      final,
      isEmpty: false,
      outputs: received.outputs.map((it) => this.#copy(it)),
    };
  }

  #copy({ name, dtype, shape, place }: ReceivedOutput): HostOutput {
    const bytes = place.bytes === 0 ? new ArrayBuffer(0) : this.#native.region(place.region);
    const copy = bytes.slice(place.offset, place.offset + place.bytes);
    const data = new dtype.array(copy, 0, place.bytes / dtype.bytes);
    return { tensor: trustedTensor(name, dtype.name, shape, data), place };
  }

  /** Writes a block as the shim does: the head of the batch, its requests, then the data of the inputs. Says where each record is. */
  #write(requests: readonly HostRequest[]): { block: Place; records: number[] } {
    const measured = requests.map((request) => this.#measure(request));
    let recordBytes: number = L.BATCH_SIZE;
    let bytes = 0;
    for (const request of measured) recordBytes += request.bytes;
    for (const { inputs = [] } of requests) {
      for (const input of inputs) if (!("place" in input)) bytes += align(contentOf(input).bytes, L.DATA_ALIGNMENT);
    }
    const block = this.#native.inbound.allocate(align(recordBytes, L.DATA_ALIGNMENT) + bytes)!;
    const region = this.#region(block.region);
    region.u32[(block.offset + L.BATCH_REQUEST_COUNT) / 4] = requests.length;
    region.u64[(block.offset + L.BATCH_TAKEN_NS) / 8] = process.hrtime.bigint();
    const records: number[] = [];
    let record = block.offset + L.BATCH_SIZE;
    let data = block.offset + align(recordBytes, L.DATA_ALIGNMENT);
    for (const [i, { inputs = [] }] of requests.entries()) {
      const places = inputs.map((input): Place => {
        if ("place" in input) return input.place;
        const content = contentOf(input);
        const place = { region: region.id, offset: data, bytes: content.bytes };
        copyContent(region, data, content);
        data += align(place.bytes, L.DATA_ALIGNMENT);
        return place;
      });
      measured[i]!.write(region, record, places);
      records.push(record);
      record += measured[i]!.bytes;
    }
    return { block, records };
  }

  #measure(request: HostRequest): MeasuredRequest {
    const { inputs, outputs } = this.#settings;
    return new MeasuredRequest({
      id: request.id ?? "",
      correlationId: request.correlationId ?? 0,
      flags: request.flags ?? 0,
      timeoutUs: request.timeoutUs ?? 0,
      parameters: request.parameters ?? {},
      trace: request.trace,
      requested: (request.requestedOutputs ?? outputs).map((name) => outputs.indexOf(name)),
      inputs: (request.inputs ?? []).map((input) => {
        const { name, datatype, shape } = "place" in input ? input.tensor : input;
        const index = inputs.indexOf(name);
        return { name: index < 0 ? name : index, dtype: dtypeOfName(datatype), shape };
      }),
    });
  }
}
