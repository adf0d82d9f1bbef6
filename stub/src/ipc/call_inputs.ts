// SPDX-License-Identifier: Apache-2.0
import { countBytesElements } from "../api/bytes.ts";
import { TritonError } from "../api/errors.ts";
import { placeOf, sourceOf, type Tensor, unserializedElements } from "../api/tensor.ts";
import type { AnswerMemory } from "./answer_memory.ts";
import type { Place } from "./record.ts";
import { allocatedPlace, RequestLife, requestOfPlace } from "./request_life.ts";
import type { SharedMemory } from "./shared_memory.ts";

/**
 * The inputs of one call, where they lie in shared memory already: inputs of requests at hand, outputs that were allocated for
 * them, and answers to other calls. What they belong to is kept until the call is over.
 */
export class CallInputs {
  readonly #memory: SharedMemory;
  readonly #answers: AnswerMemory;
  readonly #ownerOf: (place: Place) => RequestLife | undefined;
  readonly #parent: RequestLife | undefined;
  /** Requests that must stay open. */
  readonly #requests: RequestLife[] = [];
  /** Buffers that must not be collected, and what gives them up. */
  readonly #kept: { readonly buffer: ArrayBufferLike; readonly giveUp: () => void }[] = [];

  /**
   * @param ownerOf the open request that memory is an input of
   * @param parent the request that the call is made for
   */
  constructor(
    memory: SharedMemory,
    answers: AnswerMemory,
    ownerOf: (place: Place) => RequestLife | undefined,
    parent: RequestLife | undefined,
  ) {
    this.#memory = memory;
    this.#answers = answers;
    this.#ownerOf = ownerOf;
    this.#parent = parent;
  }

  /**
   * Where an input lies that the server can read there; undefined for one that is to be copied. Throws for one whose data does not
   * fit its shape any more.
   */
  placeOf(input: Tensor): Place | undefined {
    checkTexts(input);
    const found = this.#find(input);
    if (found === undefined || found.place.bytes === 0) return undefined;
    const { place, request } = found;
    if (request !== undefined) return this.#borrow(place, request);
    const { buffer } = input.data;
    const giveUp = this.#answers.keep(buffer);
    if (giveUp === undefined) return undefined;
    this.#kept.push({ buffer, giveUp });
    return place;
  }

  /** Where it lies, and the request that it belongs to, if it belongs to one. */
  #find(input: Tensor): { place: Place; request: RequestLife | undefined } | undefined {
    const tensorPlace = placeOf(input);
    const allocated = allocatedPlace(input.name, tensorPlace);
    if (allocated !== undefined) return { place: allocated, request: requestOfPlace(tensorPlace!) };
    const received = sourceOf(input);
    if (received !== undefined && received.source instanceof RequestLife) {
      const request = received.source;
      if (!request.isOpen) {
        throw new TritonError(
          `Input '${input.name}' of a call is an input of a request that is answered already. clone() it before.`,
        );
      }
      return { place: request.inputPlace(received.index), request };
    }
    if (unserializedElements(input) !== undefined) return undefined;
    const place = this.#memory.placeOf(input.data);
    return place === undefined ? undefined : { place, request: this.#ownerOf(place) };
  }

  #borrow(place: Place, request: RequestLife): Place | undefined {
    const { clients } = this.#memory;
    // The server looks for what lies in a client's memory among the inputs of the call's own request.
    const isReadable =
      request === this.#parent ? clients.canAnswerWith(place, request) : !clients.isOfClient(place.region);
    if (!isReadable) return undefined;
    request.borrow();
    this.#requests.push(request);
    return place;
  }

  /** The call is over. */
  giveUp(): void {
    for (const request of this.#requests) request.giveBack();
    for (const { giveUp } of this.#kept) giveUp();
    this.#requests.length = 0;
    this.#kept.length = 0;
  }
}

/** The data of a tensor is the model's to change, and what a client sent need not be strings. */
function checkTexts(input: Tensor): void {
  const { name, shape, elementCount, datatype } = input;
  if (datatype !== "BYTES") return;
  const count = unserializedElements(input)?.length ?? countBytesElements(input.data as Uint8Array);
  if (count === elementCount) return;
  throw new TritonError(
    `The shape [${shape.join(", ")}] of input '${name}' has ${elementCount} elements, but its data holds ${count}.`,
    "INVALID_ARG",
  );
}
