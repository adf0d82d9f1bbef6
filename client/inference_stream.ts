// SPDX-License-Identifier: Apache-2.0
import type { InferenceResult } from "./inference_result.ts";

/** The responses of a model to one request, as they come. They can be iterated once. */
export class InferenceStream implements AsyncIterable<InferenceResult> {
  readonly #open: (signal: AbortSignal) => AsyncGenerator<InferenceResult, undefined>;
  readonly #cancelled = new AbortController();
  #hasBegun = false;

  constructor(open: (signal: AbortSignal) => AsyncGenerator<InferenceResult, undefined>) {
    this.#open = open;
  }

  /** Gives the request up, and tells the server; the loop ends with a `ClientError` whose reason is `"CANCELLED"`. */
  cancel(): void {
    this.#cancelled.abort(new Error("cancel() was called"));
  }

  /**
   * Sends the request, and gives its responses. Leaving the loop cancels what is still to come.
   *
   * @throws TypeError when they are iterated for the second time
   */
  [Symbol.asyncIterator](): AsyncGenerator<InferenceResult, undefined> {
    if (this.#hasBegun) {
      throw new TypeError("The responses of a stream can be iterated once. Call stream() again to ask again.");
    }
    this.#hasBegun = true;
    return this.#open(this.#cancelled.signal);
  }
}
