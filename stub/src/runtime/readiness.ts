// SPDX-License-Identifier: Apache-2.0
import type { StreamingModel, TritonModel } from "../api/triton_model.ts";
import { kindName } from "../api/value_words.ts";
import type { CheckReadyReply } from "../ipc/control.ts";
import { LogLimit } from "./log_limit.ts";
import { log } from "./logging.ts";
import { isThenable } from "./thenable.ts";
import { describeError, oneLine } from "./thrown.ts";

/** As the server waits (backend-shim/src/readiness.h), which gives up by itself where this thread is busy. */
const LIMIT_MS = 5000;

/** More than the server keeps of a reason (backend-shim/src/readiness.h) would be cut off anywhere, in a character even. */
const MAX_REASON_BYTES = 500;

const late = Symbol("late");

/** Asks a model whether it is ready. */
export class Readiness {
  readonly #model: TritonModel | StreamingModel;
  readonly #limitMs: number;
  readonly #stacks = new LogLimit();

  constructor(model: TritonModel | StreamingModel, limitMs = LIMIT_MS) {
    this.#model = model;
    this.#limitMs = limitMs;
  }

  /** Whether the model has anything to say. */
  get isAsked(): boolean {
    return this.#model.isReady !== undefined;
  }

  /** Never rejects: a model that does not say that it is ready is not. */
  async check(): Promise<CheckReadyReply> {
    let answer: unknown;
    try {
      answer = this.#model.isReady!();
      if (isThenable(answer)) answer = await this.#inTime(answer);
    } catch (error) {
      if (this.#stacks.take() !== undefined) log("E", describeError(error));
      return { ready: false, reason: shortened(`The model's isReady failed: ${oneLine(error)}`) };
    }
    if (answer === late) {
      return { ready: false, reason: `The model's isReady did not answer within ${this.#limitMs / 1000} seconds.` };
    }
    if (typeof answer === "boolean") return { ready: answer, reason: "" };
    return { ready: false, reason: `The model's isReady must give true or false, but gave ${kindName(answer)}.` };
  }

  /** What a promise gives, or `late`; what comes of it afterwards interests nobody. */
  async #inTime(answer: PromiseLike<unknown>): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise((resolve) => {
      timer = setTimeout(resolve, this.#limitMs, late);
    });
    try {
      return await Promise.race([answer, limit]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function shortened(text: string): string {
  const bytes = Buffer.from(text.slice(0, MAX_REASON_BYTES + 1));
  if (bytes.length <= MAX_REASON_BYTES) return text;
  let end = MAX_REASON_BYTES;
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return `${bytes.toString("utf8", 0, end)}...`;
}
