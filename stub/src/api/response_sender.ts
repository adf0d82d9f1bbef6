// SPDX-License-Identifier: Apache-2.0
import { defect, TritonError } from "./errors.ts";
import { checkOptionNames } from "./options.ts";
import { hintOfLikeness, type InferenceResponse, isResponse } from "./response.ts";
import { kindName, shown } from "./value_words.ts";

/** What a sender asks of the runtime. */
export interface ResponseSenderSource {
  readonly isClosed: boolean;
  readonly isCancelled: boolean;
  readonly signal: AbortSignal;
  send(response: InferenceResponse | TritonError, final: boolean): Promise<void>;
  close(): Promise<void>;
}

/** How a response is sent. */
export interface SendOptions {
  /** The request has no more responses: the sender is closed with this one. */
  final?: boolean | undefined;
}

const NO_OPTIONS: SendOptions = Object.freeze({});
const OPTION_NAMES = Object.keys({ final: 0 } satisfies Record<keyof SendOptions, 0>);

let makeSender: (source: ResponseSenderSource) => ResponseSender;

/**
 * Sends the responses to one request, also after `execute` has returned. With `decoupled: true` there are any number of
 * them, in default mode there is exactly one.
 *
 * A sender must be closed, by `close()` or by a last response that is `final`. One that nobody can reach any more is closed
 * with an error for the client, and the log says which request it was.
 */
export class ResponseSender {
  readonly #source: ResponseSenderSource;

  private constructor(source: ResponseSenderSource) {
    this.#source = source;
  }

  /**
   * Sends a response, or an error in its place; after an error more may follow. The data is taken at once: the arrays
   * may be written to as soon as this returns, and the same response may be sent again.
   *
   * @returns a promise that is settled when more may be sent. Who awaits it keeps memory small; it never rejects because
   *   the client has gone. It rejects with a TritonError INTERNAL when the sender is closed, or a model in default
   *   mode sends a second response; UNAVAILABLE when so many responses were sent without awaiting that they reach the limit.
   * @throws TritonError INTERNAL when `response` is neither, an option is unknown, or `final` is no boolean
   */
  send(response: InferenceResponse | TritonError, options: SendOptions = NO_OPTIONS): Promise<void> {
    if (!isResponse(response) && !(response instanceof TritonError)) {
      throw defect(
        `send() needs an InferenceResponse or a TritonError, but was given ${kindName(response)}.${hintOfLikeness(response)}`,
      );
    }
    if (typeof options !== "object" || options === null || Array.isArray(options)) {
      throw defect(
        `The second argument of send() must be an object such as { final: true }, but is ${shown(options)}.`,
      );
    }
    if (options !== NO_OPTIONS) checkOptionNames("send()", options, OPTION_NAMES);
    const { final = false } = options;
    if (typeof final !== "boolean") {
      throw defect(`The option 'final' of send() must be true or false, but is ${shown(final)}.`);
    }
    return this.#source.send(response, final);
  }

  /**
   * Says that the request has no more responses.
   *
   * @returns a promise that rejects with a TritonError INTERNAL when the sender is closed already, or a model in default mode
   *   has not sent its response
   */
  close(): Promise<void> {
    return this.#source.close();
  }

  /** Whether no more can be sent. */
  get isClosed(): boolean {
    return this.#source.isClosed;
  }

  /** Whether nobody waits for the responses any more, as on the request. */
  get isCancelled(): boolean {
    return this.#source.isCancelled;
  }

  /** Aborted when nobody waits for the responses any more, as on the request. */
  get signal(): AbortSignal {
    return this.#source.signal;
  }

  static {
    makeSender = (source) => new ResponseSender(source);
  }
}

/** Makes the sender that a model sees of what the runtime has. */
export function senderFromSource(source: ResponseSenderSource): ResponseSender {
  return makeSender(source);
}
