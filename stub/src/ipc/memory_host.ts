// SPDX-License-Identifier: Apache-2.0
import type { Parameters } from "../api/request.ts";
import { type Tensor, trustedTensor } from "../api/tensor.ts";
import * as L from "../protocol/layout.gen.ts";
import { dtypeOfName } from "./dtype.ts";
import type { Entry } from "./entries.ts";
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
  /** Default: all outputs. */
  readonly requestedOutputs?: readonly string[];
  readonly inputs?: readonly (Tensor | LentInput)[];
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
  readonly error: AnswerError | undefined;
  readonly outputs: readonly HostOutput[];
  readonly parameters: Parameters;
}

/** A batch and what came back for it. */
export class HostBatch {
  /** The responses to each request, in the order in which they came. */
  readonly responses: readonly HostResponse[][];
  /** Settled when the last request has its final response. */
  readonly done: Promise<void>;
  #open: number;
  #finish: () => void = () => {};

  constructor(requests: number) {
    this.responses = Array.from({ length: requests }, () => []);
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.#open = requests;
  }

  /** Takes a response, and returns whether it was the last one of the batch. */
  take(item: number, response: HostResponse): boolean {
    const responses = this.responses[item];
    if (responses === undefined) throw new Error(`There is no request ${item} in a batch of ${this.responses.length}.`);
    if (responses.at(-1)?.final) throw new Error(`Request ${item} was answered after its final response.`);
    responses.push(response);
    if (!response.final || --this.#open > 0) return false;
    this.#finish();
    return true;
  }
}

/** A batch in flight. */
interface Slot {
  readonly batch: HostBatch;
  readonly block: Place;
}

/** The server's end of a connection in memory: hands batches to the stub and reads its responses. */
export class MemoryHost implements MemoryServer {
  readonly #native: MemoryNative;
  readonly #tables: NameTables;
  /** By generation, which no two batches share. */
  readonly #slots = new Map<number, Slot>();
  readonly #regions = new Map<number, Region>();
  #generation = 0;

  constructor(native: MemoryNative, tables: NameTables) {
    this.#native = native;
    this.#tables = tables;
    native.server = this;
  }

  /** Sends requests as one batch. */
  execute(requests: readonly HostRequest[]): HostBatch {
    const batch = new HostBatch(requests.length);
    const block = this.#write(requests);
    const owner = { table: L.TABLE_BATCHES, index: 0, generation: ++this.#generation, item: 0 };
    this.#slots.set(owner.generation, { batch, block });
    this.#native.deliver(L.ENTRY_EXECUTE, 0, owner, block);
    return batch;
  }

  onEntry(entry: Entry): void {
    const slot = this.#slots.get(entry.generation);
    if (entry.kind !== L.ENTRY_RESPONSE || entry.table !== L.TABLE_BATCHES || slot === undefined) {
      throw new Error(`The stub sent an entry of kind ${entry.kind} that belongs to no batch.`);
    }
    if (!slot.batch.take(entry.item, this.#read(entry))) return;
    this.#slots.delete(entry.generation);
    this.#native.inbound.free(slot.block);
  }

  #region(id: number): Region {
    let region = this.#regions.get(id);
    if (region === undefined) {
      region = makeRegion(id, this.#native.region(id));
      this.#regions.set(id, region);
    }
    return region;
  }

  #read({ flags, place }: Entry): HostResponse {
    const limit = place.offset + place.bytes;
    const received = readResponse(this.#region(place.region), place.offset, limit, this.#tables.outputs);
    return {
      ...received,
      final: (flags & L.RESPONSE_FINAL) !== 0,
      outputs: received.outputs.map((it) => this.#copy(it)),
    };
  }

  #copy({ name, dtype, shape, place }: ReceivedOutput): HostOutput {
    const bytes = place.bytes === 0 ? new ArrayBuffer(0) : this.#native.region(place.region);
    const copy = bytes.slice(place.offset, place.offset + place.bytes);
    const data = new dtype.array(copy, 0, place.bytes / dtype.bytes);
    return { tensor: trustedTensor(name, dtype.name, shape, data), place };
  }

  /** Writes a block as the shim does: the head of the batch, its requests, then the data of the inputs. */
  #write(requests: readonly HostRequest[]): Place {
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
      record += measured[i]!.bytes;
    }
    return block;
  }

  #measure(request: HostRequest): MeasuredRequest {
    const { inputs, outputs } = this.#tables;
    return new MeasuredRequest({
      id: request.id ?? "",
      correlationId: request.correlationId ?? 0,
      flags: request.flags ?? 0,
      timeoutUs: request.timeoutUs ?? 0,
      parameters: request.parameters ?? {},
      requested: (request.requestedOutputs ?? outputs).map((name) => outputs.indexOf(name)),
      inputs: (request.inputs ?? []).map((input) => {
        const { name, datatype, shape } = "place" in input ? input.tensor : input;
        const index = inputs.indexOf(name);
        return { name: index < 0 ? name : index, dtype: dtypeOfName(datatype), shape };
      }),
    });
  }
}
