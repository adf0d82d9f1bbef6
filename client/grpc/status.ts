// SPDX-License-Identifier: Apache-2.0
// The ends of calls that grpc-js tells, as errors of the client.
import { type ServiceError, status } from "@grpc/grpc-js";
import type { TritonErrorCode } from "../../stub/src/api/errors.ts";
import { answered, type CallSubject, type ClientError, refused, unreachable, unreadable } from "../client_error.ts";

/** Triton's codes have statuses of their own; the others come from gRPC itself, or from what stands in between. */
const CODES: ReadonlyMap<status, TritonErrorCode> = new Map([
  [status.CANCELLED, "CANCELLED"],
  [status.UNKNOWN, "UNKNOWN"],
  [status.INVALID_ARGUMENT, "INVALID_ARG"],
  [status.OUT_OF_RANGE, "INVALID_ARG"],
  [status.DEADLINE_EXCEEDED, "UNAVAILABLE"],
  [status.NOT_FOUND, "NOT_FOUND"],
  [status.ALREADY_EXISTS, "ALREADY_EXISTS"],
  [status.RESOURCE_EXHAUSTED, "UNAVAILABLE"],
  [status.UNIMPLEMENTED, "UNSUPPORTED"],
  [status.INTERNAL, "INTERNAL"],
  [status.UNAVAILABLE, "UNAVAILABLE"],
]);

/** What grpc-js itself says where no status came from a server. */
const NO_ANSWER =
  /^(No connection established|Connection dropped|Name resolution failed|Channel closed|Stream refused|Received HTTP status code|Received RST_STREAM|read E|write E|connect E)/;

/** The error for a call that ended with another status than OK. */
export function failureOf(subject: CallSubject, error: ServiceError): ClientError {
  const { code, details } = error as Partial<ServiceError>;
  if (code === undefined || details === undefined) {
    // grpc-js keeps the reason to itself, which may be another one in another release.
    return unreadable(
      subject,
      "gRPC cannot take a message out of it: one is compressed, perhaps, and no header says how. " +
        "Is this the gRPC endpoint of a Triton server?",
      error,
    );
  }
  if (NO_ANSWER.test(details)) {
    // Something listens there, but speaks another protocol.
    const isStranger = /Failed to connect|HTTP status/.test(details);
    const advice = isStranger ? "Is this the port of HTTP? gRPC is on 8001 unless it was moved." : "";
    return unreachable(subject, details.replace(/ Resolution note: *$/, ""), advice, error);
  }
  if (code === status.RESOURCE_EXHAUSTED && /larger than max|message size/i.test(details)) {
    return refused(subject, `${details}. Large tensors go through SharedMemory.`, error);
  }
  return answered(subject, {
    code: CODES.get(code) ?? "UNKNOWN",
    // One that gRPC does not know is named by its number.
    status: status[code] ?? code,
    serverMessage: details,
    cause: error,
  });
}
