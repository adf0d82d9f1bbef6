// SPDX-License-Identifier: Apache-2.0
import { shown } from "./value_words.ts";

/** The kinds of error that Triton knows. Clients branch on the code, never on the text. */
export type TritonErrorCode =
  | "UNKNOWN"
  | "INTERNAL"
  | "NOT_FOUND"
  | "INVALID_ARG"
  | "UNAVAILABLE"
  | "UNSUPPORTED"
  | "ALREADY_EXISTS"
  | "CANCELLED";

/** Every code at the index of its `TRITONSERVER_Error_Code` number. */
export const TRITON_ERROR_CODES: readonly TritonErrorCode[] = Object.freeze<TritonErrorCode[]>([
  "UNKNOWN",
  "INTERNAL",
  "NOT_FOUND",
  "INVALID_ARG",
  "UNAVAILABLE",
  "UNSUPPORTED",
  "ALREADY_EXISTS",
  "CANCELLED",
]);

/** Whether a value, such as a text of a configuration, is a code of errors. */
export function isTritonErrorCode(value: unknown): value is TritonErrorCode {
  return TRITON_ERROR_CODES.includes(value as TritonErrorCode);
}

/** A message as text. Some values, such as symbols, have none. */
function messageText(message: unknown): string | undefined {
  if (typeof message === "string" || message === undefined) return message;
  try {
    return `${message}`;
  } catch {
    throw new TypeError(`A TritonError needs a message that is a string, but got ${shown(message)}.`);
  }
}

/**
 * An error that reaches the client with its code.
 *
 * Thrown from `execute` it fails every request of the batch; returned in the place of a response, or as the `error` of
 * an `InferenceResponse`, it fails one request and leaves its neighbours alone.
 */
export class TritonError extends Error {
  readonly code: TritonErrorCode;

  /**
   * @param message one sentence for the client
   * @param code the kind of error, `"INTERNAL"` when left out
   * @throws TypeError when `code` is not one of the eight codes, or `message` cannot be a string
   */
  constructor(message: string, code: TritonErrorCode = "INTERNAL", options?: { cause?: unknown }) {
    super(messageText(message), options);
    if (!isTritonErrorCode(code)) {
      throw new TypeError(
        `A TritonError needs one of the codes ${TRITON_ERROR_CODES.join(", ")}, but '${String(code)}' was given.`,
      );
    }
    this.code = code;
  }
}

const defects = new WeakSet<object>();

/**
 * The error for a mistake in the model's own code, such as data that does not fit the shape it is given: INTERNAL, because
 * the client did nothing wrong, and known to `isDefect`, so that the runtime logs its stack.
 */
export function defect(message: string, options?: { cause?: unknown }): TritonError {
  return blamedOnModel(new TritonError(message, "INTERNAL", options));
}

/**
 * Makes a defect of an error whose code is for the model to branch on, such as the server's INVALID_ARG for what the model
 * asked of it. A client, who did nothing wrong, gets it as INTERNAL when the model does not catch it.
 */
export function blamedOnModel(error: TritonError): TritonError {
  defects.add(error);
  return error;
}

/** Whether an error is a mistake of the model's own code. Never throws, whatever `error` is. */
export function isDefect(error: unknown): boolean {
  return defects.has(error as object);
}

// On the prototype, so that it is neither an own property of every error nor printed with it.
Object.defineProperty(TritonError.prototype, "name", { value: "TritonError", configurable: true, writable: true });
