// SPDX-License-Identifier: Apache-2.0
import * as L from "../protocol/layout.gen.ts";
import type { Outbox } from "./entries.ts";
import type { Place } from "./record.ts";
import type { RequestLife } from "./request_life.ts";
import type { ResponseMeasurer } from "./response_measurer.ts";
import { type Answer, type MeasuredResponse, writeResponse } from "./response_record.ts";
import type { SharedMemory } from "./shared_memory.ts";

/** The last response of one request, on its way; where its record is written, it has its place. */
interface Outgoing extends Place {
  readonly request: RequestLife;
  response: MeasuredResponse;
  region: number;
  offset: number;
  bytes: number;
}

/** Writes the last responses of requests into shared memory and sends them: those of one `send` with one allocation, one call and at most one wake-up. */
export class ResponseWriter {
  readonly #memory: SharedMemory;
  readonly #outbox: Outbox;
  readonly #measurer: ResponseMeasurer;
  #outgoing: Outgoing[] = [];
  #bytes = 0;

  constructor(memory: SharedMemory, outbox: Outbox, measurer: ResponseMeasurer) {
    this.#memory = memory;
    this.#outbox = outbox;
    this.#measurer = measurer;
  }

  /** Takes the last response of an open request, to be sent by `send`, which closes the request. */
  add(request: RequestLife, answer: Answer): void {
    const response = this.#measurer.measure(request, answer);
    this.#outgoing.push({ request, response, region: 0, offset: 0, bytes: 0 });
    this.#bytes += response.recordBytes + response.dataBytes;
  }

  /** Sends what was added. Responses that do not fit into shared memory together go one by one. */
  send(): void {
    const outgoing = this.#outgoing;
    if (outgoing.length === 0) return;
    const block = this.#memory.tryAllocate(this.#bytes);
    this.#outgoing = [];
    this.#bytes = 0;
    if (block === undefined) {
      for (const item of outgoing) this.#sendAlone(item);
    } else {
      let at = block.offset;
      for (const item of outgoing) {
        const { recordBytes, dataBytes } = item.response;
        this.#write(item, block.region, at);
        at += recordBytes + dataBytes;
      }
      this.#outbox.freeLater(block);
    }
    // Behind all of them: an output that was allocated for one request may stand in the response to another.
    for (const { request } of outgoing) {
      request.close();
      request.release(this.#outbox);
    }
    this.#outbox.flush();
  }

  #sendAlone(item: Outgoing): void {
    const { recordBytes, dataBytes } = item.response;
    let block: Place;
    try {
      block = this.#memory.allocate(recordBytes + dataBytes, "a response");
    } catch (error) {
      item.response = this.#measurer.failure(error);
      // If not even this fits, the process ends and the server answers for it.
      block = this.#memory.allocate(item.response.recordBytes, "an error");
    }
    this.#write(item, block.region, block.offset);
    this.#outbox.freeLater(block);
    this.#outbox.flush();
  }

  #write(item: Outgoing, region: number, offset: number): void {
    item.region = region;
    item.offset = offset;
    item.bytes = item.response.recordBytes;
    // Without the memory, the process ends: an error could not be written either.
    const memory = this.#memory.region(region);
    try {
      writeResponse(memory, offset, item.response);
    } catch (error) {
      // The model changed an output since it was measured. An error has nothing that can change.
      item.response = this.#measurer.failure(error);
      this.#sendAlone(item);
      return;
    }
    this.#outbox.add(L.ENTRY_RESPONSE, L.RESPONSE_FINAL, item.request, item);
  }
}
