// SPDX-License-Identifier: Apache-2.0
import { defect, isDefect, type TritonError } from "../api/errors.ts";
import { noteOrigins, originOf } from "../api/origin.ts";
import type { AnswerError } from "../ipc/response_record.ts";
import { LogLimit } from "./log_limit.ts";
import { log } from "./logging.ts";
import { describeError, oneLine, ownWords } from "./thrown.ts";

interface Finding {
  /** What the model made wrongly: a tensor or a response. */
  readonly about: object | undefined;
}

/** Errors that the runtime made about an answer of the model. */
const findings = new WeakMap<object, Finding>();

/** The error for an answer that is not what it must be; the stack of it leads nowhere near the model. */
export function finding(message: string, about?: object): TritonError {
  const error = defect(message);
  findings.set(error, { about });
  return error;
}

export interface FailureOptions {
  /** The model's file. */
  readonly file?: string | undefined;
  /** Whether clients may read what the model threw that is no TritonError (EXPOSE_ERRORS). */
  readonly exposesErrors?: boolean | undefined;
}

/** What becomes of an error: words for the client and, where the model is to blame, for the log. */
export class Failures {
  readonly #instance: string;
  readonly #file: string | undefined;
  readonly #exposesErrors: boolean;
  readonly #limit = new LogLimit();

  constructor(instance: string, { file, exposesErrors = true }: FailureOptions = {}) {
    this.#instance = instance;
    this.#file = file;
    this.#exposesErrors = exposesErrors;
  }

  /**
   * A TritonError is told as it is, but for the model's own mistakes, which are INTERNAL; anything else as INTERNAL with one
   * sentence. Never throws.
   */
  report(error: unknown): AnswerError {
    const own = ownWords(error);
    if (own === undefined && !this.#exposesErrors) return this.#hide(error);
    const isMistake = isDefect(error);
    if (own === undefined || isMistake) this.#log(error);
    if (own !== undefined && isMistake) return { ...own, code: "INTERNAL" };
    return (
      own ?? {
        code: "INTERNAL",
        message: `Failed to process the request(s) for model '${this.#instance}', message: ${oneLine(error)}`,
      }
    );
  }

  /** The client gets an id, under which the log has the rest; none, where the log leaves the error out. */
  #hide(error: unknown): AnswerError {
    const failed = `Failed to process the request(s) for model '${this.#instance}'.`;
    if (!this.#mayLog()) {
      return {
        code: "INTERNAL",
        message: `${failed} There were too many errors for the server's log to say more about this one.`,
      };
    }
    // Loaded when it is needed: it takes milliseconds and 3 MiB of every process.
    const { randomBytes } = process.getBuiltinModule("node:crypto");
    const id = randomBytes(5).toString("hex");
    log("E", `Error ${id}: ${describeError(error)}`);
    return { code: "INTERNAL", message: `${failed} The server's log says more under error id ${id}.` };
  }

  /** Asks for an entry in the log, which is told how many there were without one. */
  #mayLog(): boolean {
    const before = this.#limit.take();
    if (before === undefined) return false;
    if (before > 0) log("E", `${before} more failures of the model were not logged.`);
    return true;
  }

  #log(error: unknown): void {
    if (!this.#mayLog()) return;
    const found = findings.get(error as object);
    log(
      "E",
      found === undefined ? describeError(error) : `${oneLine((error as Error).message)} (${this.#placeOf(found)})`,
    );
  }

  #placeOf({ about }: Finding): string {
    noteOrigins();
    const place = about === undefined ? undefined : originOf(about);
    if (place !== undefined) return `made at ${place}`;
    const file = this.#file === undefined ? "" : ` of '${this.#file}'`;
    return `answered by execute${file}${about === undefined ? "" : "; if it happens again, this says where it was made"}`;
  }
}
