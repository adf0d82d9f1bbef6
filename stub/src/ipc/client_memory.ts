// SPDX-License-Identifier: Apache-2.0
import * as L from "../protocol/layout.gen.ts";
import type { Native } from "./native.ts";
import { isPartOf, type Place } from "./record.ts";

/** What is asked of a request here: where its inputs lie. */
export interface PlacedInputs {
  readonly inputCount: number;
  inputName(index: number): string;
  inputPlace(index: number): Place;
}

/**
 * Memory that a client registered with the server and that is lent to this process: inputs lie in it. It is a private
 * mapping of a file that the client may write to, or cut short, at any time.
 */
export class ClientMemory {
  readonly #native: Native;
  readonly #flags: Uint32Array;

  constructor(native: Native) {
    this.#native = native;
    this.#flags = new Uint32Array(native.clientFlags);
  }

  isOfClient(region: number): boolean {
    return region < L.REGION_OF_STUB && region >= L.REGION_OF_CLIENT;
  }

  /**
   * Whether the server can find the data of a response at `place`. What does not lie in the stub's own regions it can only if
   * it is part of an input of the same request, which stays until that is answered; in a client's region, as the client wrote it.
   */
  canAnswerWith(place: Place, request: PlacedInputs): boolean {
    if (place.region >= L.REGION_OF_STUB) return true;
    return !(this.isOfClient(place.region) && this.#flags[0] !== 0) && isPartOfInput(place, request);
  }

  /** The name of an input that the client has cut short, so that part of it read as zero; undefined in general. */
  lostInput(request: PlacedInputs): string | undefined {
    if (this.#flags[1] === 0) return undefined;
    for (let i = 0; i < request.inputCount; i++) {
      const { region } = request.inputPlace(i);
      if (this.isOfClient(region) && this.#native.isLost(region)) return request.inputName(i);
    }
    return undefined;
  }

  /**
   * Drops what the model wrote into clients' regions, unless one of the requests that are open has an input there. Returns whether
   * it ever wrote anything.
   */
  restore(open: Iterable<PlacedInputs>): boolean {
    if (this.#flags[0] === 0) return false;
    if (!this.#hasLentInput(open)) this.#native.restore();
    return true;
  }

  #hasLentInput(requests: Iterable<PlacedInputs>): boolean {
    for (const request of requests) {
      for (let i = 0; i < request.inputCount; i++) if (this.isOfClient(request.inputPlace(i).region)) return true;
    }
    return false;
  }

  /** No batch uses the region any more. `buffer` is what JavaScript saw of it, if it ever looked: views become empty. */
  forget(region: number, buffer: ArrayBuffer | undefined): void {
    // A buffer that the model transferred away may still be looked at elsewhere, so its addresses must stay good.
    const isHeld = buffer?.byteLength === 0;
    if (buffer !== undefined && !isHeld) this.#native.detach(buffer);
    this.#native.forget(region, isHeld);
  }

  /** The model is about to handle the signals by which writes into this memory are noticed. */
  unguard(): void {
    this.#native.unguard();
  }
}

function isPartOfInput(place: Place, request: PlacedInputs): boolean {
  for (let i = 0; i < request.inputCount; i++) {
    if (isPartOf(place, request.inputPlace(i))) return true;
  }
  return false;
}
