// SPDX-License-Identifier: Apache-2.0
import { blamedOnModel, defect, TRITON_ERROR_CODES, TritonError, type TritonErrorCode } from "../api/errors.ts";
import * as L from "../protocol/layout.gen.ts";
import type { Native } from "./native.ts";

type Method = keyof typeof L.METHODS;

/** Methods that the stub calls, and to which the server replies. */
export type ShimMethod = { [M in Method]: (typeof L.METHODS)[M]["shim"] extends true ? M : never }[Method];

/** What a call of a method says, by the keys of the contract, and what its reply says. */
export type CallPayload<M extends ShimMethod> = { readonly [K in (typeof L.METHODS)[M]["call"][number]]: unknown };
export type ReplyPayload<M extends ShimMethod> = { readonly [K in (typeof L.METHODS)[M]["reply"][number]]: unknown };

/** A reply on its way. */
export interface ReplyFrame {
  readonly method: number;
  readonly call: number;
  readonly payload: string;
}

interface OpenCall {
  readonly method: number;
  readonly resolve: (reply: object) => void;
  readonly reject: (error: unknown) => void;
}

interface WaitingCall extends OpenCall {
  readonly payload: string;
}

/** One place stays free for a call that is waited for. */
const MAX_OPEN = L.MAX_SHIM_CALLS - 1;

/**
 * Calls of the server over the control channel, for what is rare. Each of them has a promise, or blocks this thread until its
 * reply is here. More than the server takes at once wait for their turn.
 */
export class ShimCalls {
  readonly #native: Pick<Native, "call" | "callNow">;
  readonly #onUse: (isInUse: boolean) => void;
  readonly #open = new Map<number, OpenCall>();
  readonly #waiting: WaitingCall[] = [];
  #lastId = 0;

  /** `onUse` is told when the first call begins, and when the last one is over. */
  constructor(native: Pick<Native, "call" | "callNow">, onUse: (isInUse: boolean) => void = () => {}) {
    this.#native = native;
    this.#onUse = onUse;
  }

  /** @throws TritonError the server's, or INTERNAL when the payload is too large */
  async call<M extends ShimMethod>(method: M, payload: CallPayload<M>): Promise<ReplyPayload<M>> {
    const text = write(payload);
    return (await new Promise<object>((resolve, reject) => {
      this.#waiting.push({ method: L.METHODS[method].number, payload: text, resolve, reject });
      this.#sendWaiting();
    })) as ReplyPayload<M>;
  }

  /** The same, and nothing else of this process's JavaScript runs before the reply is here: for what is over at once. */
  callNow<M extends ShimMethod>(method: M, payload: CallPayload<M>): ReplyPayload<M> {
    const reply = this.#native.callNow(L.METHODS[method].number, this.#nextId(), write(payload));
    return read(reply) as ReplyPayload<M>;
  }

  /** Takes the reply to a call. Throws when there is none. */
  onReply({ method, call, payload }: ReplyFrame): void {
    const open = this.#open.get(call);
    if (open?.method !== method) {
      throw new Error(`The server sent a reply (method ${method}, call ${call}) that nobody asked for.`);
    }
    this.#open.delete(call);
    try {
      open.resolve(read(payload));
    } catch (error) {
      open.reject(error);
    }
    this.#sendWaiting();
    if (this.#open.size === 0) this.#onUse(false);
  }

  #sendWaiting(): void {
    while (this.#open.size < MAX_OPEN) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      const id = this.#nextId();
      try {
        this.#native.call(next.method, id, next.payload);
      } catch (error) {
        next.reject(error);
        continue;
      }
      this.#open.set(id, next);
      if (this.#open.size === 1) this.#onUse(true);
    }
  }

  #nextId(): number {
    do this.#lastId = (this.#lastId % 0xffffffff) + 1;
    while (this.#open.has(this.#lastId));
    return this.#lastId;
  }
}

function write(payload: object): string {
  const text = JSON.stringify(payload);
  const bytes = Buffer.byteLength(text);
  if (bytes <= L.MAX_CALL_PAYLOAD_BYTES) return text;
  throw defect(
    `What is asked of the server must take at most ${L.MAX_CALL_PAYLOAD_BYTES} bytes as JSON, but takes ${bytes}.`,
  );
}

function read(payload: string): object {
  const reply = JSON.parse(payload) as { error?: { code: TritonErrorCode; message: string } };
  if (reply.error === undefined) return reply;
  const { code, message } = reply.error;
  const error = new TritonError(message, TRITON_ERROR_CODES.includes(code) ? code : "INTERNAL");
  // It was the model that asked, so a client that is told INVALID_ARG would look for the mistake in its own request.
  throw code === "INVALID_ARG" ? blamedOnModel(error) : error;
}
