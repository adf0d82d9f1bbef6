// SPDX-License-Identifier: Apache-2.0
import { type CallContent, type OpenCall, theCaller } from "./caller.ts";
import { TritonError } from "./errors.ts";
import { InferenceResponse } from "./response.ts";

/** What may wait to be read of one stream. The server has no way to slow the other model down. */
export const UNREAD_LIMIT = 64 << 20;
/** A response counts as so many bytes at least, for what it costs beside its data. */
const LEAST_BYTES = 256;

/** How the responses of a stream are given. */
export interface StreamOptions {
  /** An error response ends the loop with that error, and cancels the rest: true by default. */
  throwOnError?: boolean | undefined;
  /** A last response without outputs, which says only that the stream is over, is an item of the loop, too. */
  emptyFinal?: boolean | undefined;
}

interface Waiting {
  resolve(result: IteratorResult<InferenceResponse, undefined>): void;
  reject(error: unknown): void;
}

const DONE: IteratorResult<InferenceResponse, undefined> = Object.freeze({ done: true, value: undefined });

let begin: (content: CallContent, options: Required<StreamOptions>) => ResponseStream;

/**
 * The responses of another model to one request, as they come: `for await (const response of request.stream())`. They can be
 * iterated once. Leaving the loop cancels the request; what comes after that is dropped.
 */
export class ResponseStream implements AsyncIterable<InferenceResponse> {
  readonly #options: Required<StreamOptions>;
  readonly #call: OpenCall;
  /** Responses that nobody has asked for yet; made when they come, errors among them. */
  #arrived: InferenceResponse[] = [];
  /** Who has asked for responses that have not come yet. */
  #waiting: Waiting[] = [];
  /** No more responses come. */
  #hasEnded = false;
  /** Nobody wants those that still come. */
  #isLeft = false;
  /** Bytes of those that have arrived, and whether they were too many, so that what still comes is dropped. */
  #unread = 0;
  #isFull = false;

  private constructor(content: CallContent, options: Required<StreamOptions>) {
    this.#options = options;
    this.#call = theCaller().call(content, (response, isFinal) => this.#take(response, isFinal));
  }

  /**
   * Asks the other model to stop. The iteration goes on until it has, which a model that does not look for it never does early.
   * Does nothing once the stream is over.
   */
  cancel(): void {
    this.#call.cancel();
  }

  [Symbol.asyncIterator](): AsyncIterator<InferenceResponse, undefined> {
    return {
      next: () => this.#next(),
      return: () => {
        this.#leave();
        return Promise.resolve(DONE);
      },
    };
  }

  #take(response: InferenceResponse | undefined, isFinal: boolean): void {
    if (this.#isLeft || this.#isFull) response?.dispose();
    else if (this.#isItem(response, isFinal)) this.#keep(response ?? new InferenceResponse());
    this.#hasEnded ||= isFinal;
    while (this.#waiting.length > 0 && (this.#arrived.length > 0 || this.#isOver)) this.#give(this.#waiting.shift()!);
  }

  #keep(response: InferenceResponse): void {
    this.#arrived.push(response);
    this.#unread += bytesOf(response);
    if (this.#unread <= UNREAD_LIMIT) return;
    this.#isFull = true;
    const error = new TritonError(
      `More than ${UNREAD_LIMIT >> 20} MiB of responses of a called model wait to be read, so the call was given up. ` +
        "Read them as fast as they come, or ask for less at a time.",
      "UNAVAILABLE",
    );
    this.#arrived.push(new InferenceResponse([], { error }));
    this.#call.cancel();
  }

  /** All are, but for a last one that says nothing else. */
  #isItem(response: InferenceResponse | undefined, isFinal: boolean): boolean {
    const isEmpty = response === undefined || (response.error === undefined && response.outputs.length === 0);
    return !(isEmpty && isFinal) || this.#options.emptyFinal;
  }

  get #isOver(): boolean {
    return this.#hasEnded || this.#isLeft;
  }

  #next(): Promise<IteratorResult<InferenceResponse, undefined>> {
    return new Promise((resolve, reject) => {
      const waiting = { resolve, reject };
      if (this.#arrived.length > 0 || this.#isOver) this.#give(waiting);
      else this.#waiting.push(waiting);
    });
  }

  /** Gives the next response, or says that there are no more. */
  #give({ resolve, reject }: Waiting): void {
    const response = this.#arrived.shift();
    if (response !== undefined) this.#unread -= bytesOf(response);
    if (response === undefined) {
      resolve(DONE);
    } else if (response.error !== undefined && this.#options.throwOnError) {
      this.#leave();
      reject(response.error);
    } else {
      resolve({ done: false, value: response });
    }
  }

  /** Nobody iterates any more. */
  #leave(): void {
    if (this.#isLeft) return;
    this.#isLeft = true;
    if (!this.#hasEnded) this.#call.cancel();
    for (const response of this.#arrived) response.dispose();
    this.#arrived = [];
    for (const { resolve } of this.#waiting) resolve(DONE);
    this.#waiting = [];
  }

  static {
    begin = (content, options) => new ResponseStream(content, options);
  }
}

function bytesOf({ outputs }: InferenceResponse): number {
  let bytes = LEAST_BYTES;
  for (const { data } of outputs) bytes += data.byteLength;
  return bytes;
}

/** Begins a call whose responses are iterated. */
export function streamCall(content: CallContent, options: Required<StreamOptions>): ResponseStream {
  return begin(content, options);
}
