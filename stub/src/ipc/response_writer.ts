// SPDX-License-Identifier: Apache-2.0
import { TritonError } from "../api/errors.ts";
import { placeOf, type Tensor, unserializedElements } from "../api/tensor.ts";
import * as L from "../protocol/layout.gen.ts";
import type { Outbox } from "./entries.ts";
import type { Place } from "./record.ts";
import { allocatedPlace, type RequestLife } from "./request_life.ts";
import { type Answer, type MeasuredResponse, measureResponse, writeResponse } from "./response_record.ts";
import type { SharedMemory } from "./shared_memory.ts";

/** One response of one request, on its way. */
interface Outgoing {
  readonly request: RequestLife;
  /** The request has no more responses after this one. */
  readonly final: boolean;
  readonly response: MeasuredResponse;
}

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
    this.#outgoing.push({ request, final, response });
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
        this.#write(item, item.response, block.region, at);
        at += item.response.recordBytes + item.response.dataBytes;
      }
      this.#outbox.freeLater(block);
    }
    // Behind all of them: an output that was allocated for one request may stand in the response to another.
    for (const { request, final } of outgoing) if (final) request.close(this.#outbox);
    this.#outbox.flush();
  }

  #sendAlone(item: Outgoing): void {
    let { response } = item;
    let block: Place;
    try {
      block = this.#memory.allocate(response.recordBytes + response.dataBytes, "a response");
    } catch (error) {
      response = measureResponse(this.#onError(error), []);
      // If not even this fits, the process ends and the server answers for it.
      block = this.#memory.allocate(response.recordBytes, "an error");
    }
    this.#write(item, response, block.region, block.offset);
    this.#outbox.freeLater(block);
    this.#outbox.flush();
  }

  #write({ request, final }: Outgoing, response: MeasuredResponse, region: number, offset: number): void {
    writeResponse(this.#memory.region(region), offset, response);
    const place = { region, offset, bytes: response.recordBytes };
    this.#outbox.add(L.ENTRY_RESPONSE, final ? L.RESPONSE_FINAL : 0, request, place);
  }

  /** What cannot be measured, such as elements that were spoilt after their tensor was made, fails its request. */
  #measureOrFail(request: RequestLife, answer: Answer): MeasuredResponse {
    try {
      this.#refuseLostInput(request);
      const response = measureResponse(answer, this.#places(request, answer.outputs));
      if (response.recordBytes <= L.MAX_RECORD_BYTES) return response;
      throw new TritonError(
        `The parameters of a response take ${response.recordBytes} bytes, but at most ${L.MAX_RECORD_BYTES} fit. ` +
          "Send large values as outputs.",
      );
    } catch (error) {
      return measureResponse(this.#onError(error), []);
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

  #places(request: RequestLife, outputs: readonly Tensor[]): (Place | undefined)[] {
    const places: (Place | undefined)[] = [];
    for (const output of outputs) places.push(this.#placeOf(request, output));
    return places;
  }

  /** Data that lies in shared memory already, an input or an allocated output, is not copied. */
  #placeOf(request: RequestLife, output: Tensor): Place | undefined {
    const allocated = allocatedPlace(output.name, placeOf(output));
    if (allocated !== undefined || unserializedElements(output) !== undefined) return allocated;
    const found = this.#memory.placeOf(output.data);
    return found !== undefined && this.#memory.clients.canAnswerWith(found, request) ? found : undefined;
  }
}
