// SPDX-License-Identifier: Apache-2.0
// Errors on their way to whoever called the module: a sentence and one of gRPC's codes.
import { status } from "@grpc/grpc-js";
import { ClientError, TritonError, type TritonErrorCode } from "../client/index.ts";
import { messageOf } from "../server/error.ts";

/** The names of gRPC's status codes that this module answers with. */
export type StatusName = Exclude<keyof typeof status, "OK">;

/** A failure that the caller is told, with the code that programs branch on. */
export class ModuleError extends Error {
  override readonly name = "ModuleError";
  readonly status: StatusName;

  constructor(status: StatusName, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.status = status;
  }
}

const statusOf: Readonly<Record<TritonErrorCode, StatusName>> = {
  UNKNOWN: "UNKNOWN",
  INTERNAL: "INTERNAL",
  NOT_FOUND: "NOT_FOUND",
  INVALID_ARG: "INVALID_ARGUMENT",
  UNAVAILABLE: "UNAVAILABLE",
  UNSUPPORTED: "UNIMPLEMENTED",
  ALREADY_EXISTS: "ALREADY_EXISTS",
  CANCELLED: "CANCELLED",
};

/** Those of a client are for programmers, and say which of its methods to call; who has a robot wants Triton's own words. */
function fromClient(error: ClientError): ModuleError {
  const { reason, serverMessage, code, message } = error;
  if (reason === "DEADLINE") return new ModuleError("DEADLINE_EXCEEDED", message, { cause: error });
  const text = reason === "ANSWER" && serverMessage ? `Triton answered: ${serverMessage}` : message;
  return new ModuleError(statusOf[code], text, { cause: error });
}

/** Anything that was thrown, as an error of this module. */
export function moduleError(error: unknown): ModuleError {
  if (error instanceof ModuleError) return error;
  if (error instanceof ClientError) return fromClient(error);
  const name = error instanceof TritonError ? statusOf[error.code] : "UNKNOWN";
  return new ModuleError(name, messageOf(error), { cause: error });
}

/**
 * Texts of errors go in a header, where a character may take nine bytes and a client takes 16 KiB: one that is longer ends
 * the connection, and with it all other calls. What callers have sent, and errors repeat, has no such bound.
 */
const mostCharacters = 1500;

/** What grpc-js wants of a handler that fails. */
export function serviceError(error: unknown): { code: status; details: string } {
  const { status: name, message } = moduleError(error);
  const rest = message.length - mostCharacters;
  const details = rest > 0 ? `${message.slice(0, mostCharacters)} ... (${rest} more characters)` : message;
  return { code: status[name], details };
}
