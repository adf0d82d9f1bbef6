// SPDX-License-Identifier: Apache-2.0
// Words for what a model threw or returned. It may be anything, a proxy or an object whose getters throw, and whoever
// describes it is about to answer a request: nothing here ever throws.

import { TRITON_ERROR_CODES, TritonError } from "../api/errors.ts";

/** Causes that are followed; a chain may be a circle. */
const MAX_CAUSES = 8;

function attempt(read: () => unknown): string | undefined {
  try {
    const value = read();
    return typeof value === "string" ? value : String(value);
  } catch {
    return undefined;
  }
}

/** A text that Triton can carry: its own end at the first zero, and half a surrogate pair is no UTF-8. */
export function printable(text: string): string {
  return (text.includes("\0") ? text.replaceAll("\0", "\\0") : text).toWellFormed();
}

function isError(value: unknown): value is Error {
  try {
    return value instanceof Error;
  } catch {
    return false;
  }
}

function headOf(error: Error): string {
  const name = attempt(() => error.name) ?? "Error";
  return `${name}: ${attempt(() => error.message) ?? "its message cannot be read"}`;
}

/** The message of an error on one line, without its stack. */
export function oneLine(error: unknown): string {
  const text = isError(error) ? headOf(error) : (attempt(() => error) ?? "a value that cannot be shown as text");
  return printable(text).replace(/\s+/g, " ").trim();
}

/** An error as text for the log: its stack, which points into the model's own files, and its causes. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  let at: unknown = error;
  for (let depth = 0; depth < MAX_CAUSES; depth++) {
    if (!isError(at)) {
      parts.push(`A value that is no Error was thrown: ${oneLine(at)}`);
      break;
    }
    const thrown: Error = at;
    parts.push(attempt(() => thrown.stack ?? headOf(thrown)) ?? headOf(thrown));
    let cause: unknown;
    try {
      cause = thrown.cause;
    } catch {
      break;
    }
    if (cause === undefined) break;
    at = cause;
  }
  return parts.join("\nCaused by: ");
}

/** Code and message of a sound TritonError, which go to the client as they are; undefined for anything else. */
export function ownWords(error: unknown): Pick<TritonError, "code" | "message"> | undefined {
  try {
    if (!(error instanceof TritonError)) return undefined;
    const { code, message } = error;
    if (typeof message !== "string" || !TRITON_ERROR_CODES.includes(code)) return undefined;
    return { code, message: printable(message) };
  } catch {
    return undefined;
  }
}

/** Whether an error says that something was given up because a signal told so. */
export function isAbort(error: unknown): boolean {
  return ownWords(error)?.code === "CANCELLED" || (isError(error) && attempt(() => error.name) === "AbortError");
}

/** The error for a client that has cancelled. */
export function cancelledError(): TritonError {
  return new TritonError("The request was cancelled.", "CANCELLED");
}
