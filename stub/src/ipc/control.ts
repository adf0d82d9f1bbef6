// SPDX-License-Identifier: Apache-2.0
import * as L from "../protocol/layout.gen.ts";
import type { Native } from "./native.ts";
import { type ReplyFrame, ShimCalls } from "./shim_calls.ts";

type Method = keyof typeof L.METHODS;

/** Methods that the server calls, and to which the stub replies: the steps of a model's life. */
export type Step = "load" | "initialize" | "finalize";

/** Methods that the stub receives; the addon deals with some of them itself, as an entry may name a region at once. */
type StubMethod = { [M in Method]: (typeof L.METHODS)[M]["stub"] extends true ? M : never }[Method];
type OwnMethod = Exclude<StubMethod, "hello" | "region" | "clientRegion">;

/** The keys that a payload of the contract has: of a call, or of its reply. */
export type PayloadKey<M extends Method, Part extends "call" | "reply"> = (typeof L.METHODS)[M][Part][number];

type Same<A, B> = [A, B] extends [B, A] ? true : false;

/** Whether a type has exactly the keys of a payload: `true satisfies HasKeys<LoadPayload, "load", "call">`. */
export type HasKeys<T, M extends Method, Part extends "call" | "reply"> = Same<keyof T, PayloadKey<M, Part>>;

/** The same for the error that a reply may hold instead. */
export type HasErrorKeys<T extends { error: object }> = Same<
  [keyof T, keyof T["error"]],
  [(typeof L.ERROR_KEYS.reply)[number], (typeof L.ERROR_KEYS.part)[number]]
>;

/** What is said over the control channel, as the addon hands it out. */
export interface Frame extends ReplyFrame {
  readonly isReply: boolean;
  readonly region: number;
}

/** The answer to a server that asks whether the model is ready; `reason` is empty where the model has said so itself. */
export type CheckReadyReply = { readonly ready: boolean; readonly reason: string };

true satisfies HasKeys<CheckReadyReply, "checkReady", "reply">;

export interface ControlHandlers {
  /** A step is to be done; `reply` ends it. */
  onStep(step: Step, payload: unknown): void;
  /** The server asks whether the model is ready, and waits for the answer. */
  onCheckReady(reply: (answer: CheckReadyReply) => void): void;
  /** No batch uses this client's region any more. */
  onForgetRegion(region: number): void;
  /** The first call of the server begins, or the last one is over. */
  onUse?(isInUse: boolean): void;
}

type ControlNative = Pick<Native, "reply" | "call" | "callNow">;

/** The control channel: hands each frame to who deals with it, sends the replies, and makes calls of the server. */
export class Control {
  /** Calls of the server. */
  readonly calls: ShimCalls;
  readonly #native: ControlNative;
  readonly #handlers: ReadonlyMap<number, (frame: Frame) => void>;
  /** Ids of the calls that wait for a reply. */
  readonly #calls = new Map<Step, number>();

  constructor(native: ControlNative, handlers: ControlHandlers) {
    this.#native = native;
    this.calls = new ShimCalls(native, (isInUse) => handlers.onUse?.(isInUse));
    const step = (name: Step) => (frame: Frame) => {
      this.#calls.set(name, frame.call);
      handlers.onStep(name, frame.payload === "" ? undefined : JSON.parse(frame.payload));
    };
    const byName = {
      load: step("load"),
      initialize: step("initialize"),
      finalize: step("finalize"),
      checkReady: ({ method, call }: Frame) =>
        handlers.onCheckReady((answer) => native.reply(method, call, JSON.stringify(answer))),
      forgetRegion: (frame: Frame) => handlers.onForgetRegion(frame.region),
    } satisfies Record<OwnMethod, (frame: Frame) => void>;
    this.#handlers = new Map(
      Object.entries(byName).map(([name, handler]) => [L.METHODS[name as Method].number, handler]),
    );
  }

  onFrame(frame: Frame): void {
    if (frame.isReply) {
      this.calls.onReply(frame);
      return;
    }
    const handler = this.#handlers.get(frame.method);
    if (handler === undefined) {
      throw new Error(`The server sent a control message of unknown method ${frame.method}.`);
    }
    handler(frame);
  }

  /** Ends a step. Throws when `payload` cannot be written as JSON; the step is then still open. */
  reply(step: Step, payload: object): void {
    const text = JSON.stringify(payload);
    const call = this.#calls.get(step);
    if (call === undefined) throw new Error(`The server did not ask for the step '${step}'.`);
    this.#calls.delete(step);
    this.#native.reply(L.METHODS[step].number, call, text);
  }
}
