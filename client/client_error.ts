// SPDX-License-Identifier: Apache-2.0
import { TritonError, type TritonErrorCode } from "../stub/src/api/errors.ts";

/** Where a call failed. */
export type ClientErrorReason =
  /** The server answered with an error. */
  | "ANSWER"
  /** No server answers there, or it went away in the middle. */
  | "UNREACHABLE"
  /** The call took longer than its `deadlineMs`. */
  | "DEADLINE"
  /** The caller's signal was aborted, or the client was closed. */
  | "CANCELLED"
  /** What was to be sent cannot be: an option is wrong, or the message too large. */
  | "REQUEST"
  /** What came back is not what a Triton server answers. */
  | "PROTOCOL";

/** What is known of a call that failed. */
export interface ClientErrorOptions {
  reason: ClientErrorReason;
  /** Where the server is, as the client was told. */
  host: string;
  model?: string | undefined;
  /** The status of the answer: `"NOT_FOUND"` over gRPC, `404` over HTTP. */
  status?: string | number | undefined;
  /** What the server itself said. */
  serverMessage?: string | undefined;
  cause?: unknown;
}

/** A call of a client that failed; the message names the server and the model, and says what to do. */
export class ClientError extends TritonError {
  readonly reason: ClientErrorReason;
  readonly host: string;
  /** The model that the call was about, if it was about one. */
  readonly model: string | undefined;
  /** The status of the answer, such as `"NOT_FOUND"` over gRPC and 404 over HTTP; undefined when none came. */
  readonly status: string | number | undefined;
  /** The words of the server alone; undefined when it did not answer. */
  readonly serverMessage: string | undefined;

  constructor(message: string, code: TritonErrorCode, options: ClientErrorOptions) {
    super(message, code, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = options.reason;
    this.host = options.host;
    this.model = options.model;
    this.status = options.status;
    this.serverMessage = options.serverMessage;
  }
}

Object.defineProperty(ClientError.prototype, "name", { value: "ClientError", configurable: true, writable: true });

/** What a call is about, for its errors. */
export interface CallSubject {
  host: string;
  /** What was asked, as the end of "... did not": "load model 'ocr'". */
  task: string;
  model?: string | undefined;
}

/** The error for a call that cannot be sent as it was given. */
export function refused({ host, task, model }: CallSubject, message: string, cause?: unknown): ClientError {
  const text = `The call to ${host} to ${task} was not sent: ${message}`;
  return new ClientError(text, "INVALID_ARG", { reason: "REQUEST", host, model, cause });
}

/** The error for an answer that cannot be read. */
export function unreadable({ host, task, model }: CallSubject, message: string, cause?: unknown): ClientError {
  const text = `What answered at ${host} when it was asked to ${task} cannot be read: ${message}`;
  return new ClientError(text, "INTERNAL", { reason: "PROTOCOL", host, model, cause });
}

/** What went wrong with an answer because of what the caller did meanwhile; the message is a whole sentence. */
export class CallerMistake extends Error {}

/** The error for what was thrown while an answer was read. */
export function notRead(subject: CallSubject, error: Error): ClientError {
  if (!(error instanceof CallerMistake)) return unreadable(subject, `${error.message}.`, error);
  const { host, task, model } = subject;
  const text = `The answer of the server at ${host}, which was asked to ${task}, cannot be given: ${error.message}`;
  return new ClientError(text, "INVALID_ARG", { reason: "REQUEST", host, model, cause: error });
}

/** The error for a server that cannot be reached, or went away in the middle of a call. */
export function unreachable(
  { host, task, model }: CallSubject,
  why: string,
  advice = "",
  cause?: unknown,
): ClientError {
  const text =
    `No Triton server answers at ${host} (${withoutStop(why)}), so it did not ${task}. ` +
    `Look whether it runs, and whether address and port are right.${advice === "" ? "" : ` ${advice}`}`;
  return new ClientError(text, "UNAVAILABLE", { reason: "UNREACHABLE", host, model, cause });
}

/** What the server answered in the place of a result. */
export interface AnsweredError {
  code: TritonErrorCode;
  status: string | number;
  serverMessage: string;
  cause?: unknown;
}

/** The error that a server answered. */
export function answered({ host, task, model }: CallSubject, answer: AnsweredError): ClientError {
  const { code, status, serverMessage, cause } = answer;
  const advice = adviceFor(code, serverMessage, model);
  const text =
    `The server at ${host} did not ${task}, but answered ${status}: ` +
    `${withoutStop(serverMessage) || "no reason given"}.${advice === "" ? "" : ` ${advice}`}`;
  return new ClientError(text, code, { reason: "ANSWER", host, model, status, serverMessage, cause });
}

/** What to do about an error that a server answered; "" where its own words must do. */
function adviceFor(code: TritonErrorCode, serverMessage: string, model: string | undefined): string {
  if (/decoupled/i.test(serverMessage))
    return "A decoupled model is asked with stream() of GrpcClient, or with generateStream() of HttpClient.";
  if (/shared memory region.* in use/i.test(serverMessage)) {
    return "A call that is open uses it: unregister it when that call has ended.";
  }
  if (/shared memory region/i.test(serverMessage)) {
    return "Register the memory with registerSystemSharedMemory(); a server that was started again has forgotten it.";
  }
  if (model === undefined) return "";
  switch (code) {
    case "NOT_FOUND":
      return "The models that the server has, and their states, are in repositoryIndex().";
    case "INVALID_ARG":
      return `What the model takes is in modelMetadata('${model}').`;
    default:
      return "";
  }
}

/** The error for a call that took longer than its limit. */
export function overdue({ host, task, model }: CallSubject, deadlineMs: number, cause?: unknown): ClientError {
  const text =
    `The server at ${host} did not ${task} within ${deadlineMs} ms, so the call was given up. ` +
    "Look whether it is overloaded, or allow more with deadlineMs.";
  return new ClientError(text, "UNAVAILABLE", { reason: "DEADLINE", host, model, cause });
}

/** The error for a call that its caller gave up. */
export function cancelled({ host, task, model }: CallSubject, why: string, cause?: unknown): ClientError {
  const text = `The call to ${host} to ${task} was cancelled: ${why}.`;
  return new ClientError(text, "CANCELLED", { reason: "CANCELLED", host, model, cause });
}

/** A reason as the end of a sentence. */
export function withoutStop(text: string): string {
  return text.replace(/[.\s]+$/, "");
}

/** What an aborted signal says of itself. */
export function reasonOf(signal: AbortSignal): string {
  const reason: unknown = signal.reason;
  return withoutStop(reason instanceof Error ? reason.message : String(reason ?? "its signal was aborted"));
}

/** A value of JSON that is none of those that were expected, in a few words. */
export function described(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  return typeof value === "string"
    ? JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value)
    : String(value);
}
