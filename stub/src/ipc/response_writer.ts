// SPDX-License-Identifier: Apache-2.0
import { defect, TritonError } from "../api/errors.ts";
import { placeOf, type Tensor, unserializedElements } from "../api/tensor.ts";
import * as L from "../protocol/layout.gen.ts";
import type { Outbox } from "./entries.ts";
import type { Place } from "./record.ts";
import { allocatedPlace, type RequestLife } from "./request_life.ts";
import { type Answer, type MeasuredResponse, measureResponse, writeResponse } from "./response_record.ts";
import type { SharedMemory } from "./shared_memory.ts";

/** One response of one request, on its way; where its record is written, it has its place. */
interface Outgoing extends Place {
  readonly request: RequestLife;
  /** The request has no more responses after this one. */
  readonly final: boolean;
  response: MeasuredResponse;
  region: number;
  offset: number;
  bytes: number;
}

const NOWHERE = (): undefined => undefined;

/** Writes responses into shared memory and sends them: those of one `send` with one allocation, one call and at most one wake-up. */
export class ResponseWriter {
  readonly #memory: SharedMemory;
  readonly #outbox: Outbox;
  readonly #onError: (error: unknown) => Answer;
  #outgoing: Outgoing[] = [];
  #bytes = 0;

  /** @param onError makes the answer for a request whose own cannot be written */
  constructor(memory: SharedMemory, outbox: Outbox, onError: (error: unknown) => Answer) {
    this.#memory = memory;
    this.#outbox = outbox;
    this.#onError = onError;
  }

  /** Takes one response of an open request, to be sent by `send`; a final one closes the request then. */
  add(request: RequestLife, answer: Answer, final: boolean): void {
    const response = this.#measureOrFail(request, answer);
    this.#outgoing.push({ request, final, response, region: 0, offset: 0, bytes: 0 });
    this.#bytes += response.recordBytes + response.dataBytes;
  }

  /** Sends what was added. Responses that do not fit into shared memory together go one by one. */
  send(): void {
    const outgoing = this.#outgoing;
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
    for (const { request, final } of outgoing) if (final) request.close(this.#outbox);
    this.#outbox.flush();
  }

  #sendAlone(item: Outgoing): void {
    const { recordBytes, dataBytes } = item.response;
    let block: Place;
    try {
      block = this.#memory.allocate(recordBytes + dataBytes, "a response");
    } catch (error) {
      item.response = measureResponse(this.#onError(error), NOWHERE);
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
    try {
      writeResponse(this.#memory.region(region), offset, item.response);
    } catch (error) {
      // The model changed an output since it was measured. An error has nothing that can change.
      item.response = measureResponse(this.#onError(error), NOWHERE);
      this.#sendAlone(item);
      return;
    }
    this.#outbox.add(L.ENTRY_RESPONSE, item.final ? L.RESPONSE_FINAL : 0, item.request, item);
  }

  /** What cannot be measured, such as elements that were spoilt after their tensor was made, fails its request. */
  #measureOrFail(request: RequestLife, answer: Answer): MeasuredResponse {
    try {
      this.#refuseLostInput(request);
      const response = measureResponse(answer, (output) => this.#placeOf(request, output));
      if (response.recordBytes <= L.MAX_RECORD_BYTES) return response;
      throw defect(
        `The parameters of a response take ${response.recordBytes} bytes, but at most ${L.MAX_RECORD_BYTES} fit. ` +
          "Send large values as outputs.",
      );
    } catch (error) {
      return measureResponse(this.#onError(error), NOWHERE);
    }
  }

  #refuseLostInput(request: RequestLife): void {
    const name = this.#memory.clients.lostInput(request);
    if (name === undefined) return;
    throw new TritonError(
      `Input '${name}' lies in a shared memory region that was cut short while the request was served. ` +
        "Keep the region at its size until it is unregistered.",
      "INVALID_ARG",
    );
  }

  /** Data that lies in shared memory already, an input or an allocated output, is not copied. */
  #placeOf(request: RequestLife, output: Tensor): Place | undefined {
    const allocated = allocatedPlace(output.name, placeOf(output));
    if (allocated !== undefined || unserializedElements(output) !== undefined) return allocated;
    const found = this.#memory.placeOf(output.data);
    return found !== undefined && this.#memory.clients.canAnswerWith(found, request) ? found : undefined;
  }
}
