// SPDX-License-Identifier: Apache-2.0
import { TritonError } from "../api/errors.ts";
import type { RequestLife } from "../ipc/request_life.ts";
import type { AnswerMaker } from "./answers.ts";
import { log } from "./logging.ts";
import type { Responder } from "./responder.ts";

/** An open request whose responses only its sender can send. */
interface Pending {
  readonly life: RequestLife;
  readonly responder: Responder;
}

/** Closes requests whose sender the model has lost: nobody else could. */
export class AbandonedSenders {
  readonly #answers: AnswerMaker;
  readonly #instance: string;
  readonly #registry = new FinalizationRegistry<Pending>((pending) => this.close(pending));

  constructor(answers: AnswerMaker, instance: string) {
    this.#answers = answers;
    this.#instance = instance;
  }

  /** From now on nobody but the model holds the sender of the request. */
  watch(pending: Pending): void {
    const sender = pending.responder.takeSender();
    if (sender !== undefined && pending.life.isOpen) this.#registry.register(sender, pending);
  }

  /** Nobody can reach the sender any more. */
  close({ life, responder }: Pending): void {
    if (!life.isOpen) return;
    const which = life.id === "" ? "a request without an id" : `request '${life.id}'`;
    const text =
      `Model '${this.#instance}' dropped the response sender of ${which} without closing it. ` +
      "Call close() on every way out, errors included; the log may say which error came before.";
    log("E", text);
    responder.finish(this.#answers.failure(new TritonError(text)));
  }
}
