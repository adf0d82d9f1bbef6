// SPDX-License-Identifier: Apache-2.0
import { defect, TritonError } from "../api/errors.ts";
import { placeOf, type Tensor, unserializedElements } from "../api/tensor.ts";
import * as L from "../protocol/layout.gen.ts";
import type { Place } from "./record.ts";
import { allocatedPlace, type RequestLife } from "./request_life.ts";
import { type Answer, type MeasuredResponse, measureResponse } from "./response_record.ts";
import type { SharedMemory } from "./shared_memory.ts";

const NOWHERE = (): undefined => undefined;

/** Finds out how large responses are, and what of their data lies in shared memory already. */
export class ResponseMeasurer {
  readonly #memory: SharedMemory;
  readonly #onError: (error: unknown) => Answer;

  /** @param onError makes the answer for a request whose own cannot be written */
  constructor(memory: SharedMemory, onError: (error: unknown) => Answer) {
    this.#memory = memory;
    this.#onError = onError;
  }

  /**
   * What cannot be measured, such as elements that were spoilt after their tensor was made, fails its request.
   *
   * @param copies data is copied wherever it lies, as the model may go on writing there
   */
  measure(request: RequestLife, answer: Answer, copies = false): MeasuredResponse {
    try {
      this.#refuseLostInput(request);
      const response = measureResponse(answer, (output) => this.#placeOf(request, output, copies));
      if (response.recordBytes <= L.MAX_RECORD_BYTES) return response;
      throw defect(
        `The parameters of a response take ${response.recordBytes} bytes, but at most ${L.MAX_RECORD_BYTES} fit. ` +
          "Send large values as outputs.",
      );
    } catch (error) {
      return this.failure(error);
    }
  }

  /** What says that a response could not be written. */
  failure(error: unknown): MeasuredResponse {
    return measureResponse(this.#onError(error), NOWHERE);
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

  /** Data that lies in shared memory already, an input or an allocated output, need not be copied. */
  #placeOf(request: RequestLife, output: Tensor, copies: boolean): Place | undefined {
    const allocated = allocatedPlace(output.name, placeOf(output));
    if (copies) return undefined;
    if (allocated !== undefined || unserializedElements(output) !== undefined) return allocated;
    const memory = this.#memory;
    const found = memory.placeOf(output.data);
    if (found === undefined) return undefined;
    return memory.clients.canAnswerWith(found, request) || memory.lasts(output.data.buffer) ? found : undefined;
  }
}
