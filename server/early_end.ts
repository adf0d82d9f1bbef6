// SPDX-License-Identifier: Apache-2.0
import { type Endpoint, portSentence } from "./endpoints.ts";
import { ServerError } from "./error.ts";
import { type LastErrors, plainText } from "./server_log.ts";

/** How the server ended. */
export interface ServerEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Why a server ended before it was ready, from the last errors of its log. `place` says where that log is. */
export function explainEarlyEnd(
  end: ServerEnd,
  errors: LastErrors,
  endpoints: readonly Endpoint[],
  place: string,
): ServerError {
  if (errors.complaints.length > 0) {
    const complaint = errors.complaints.join(" ").replace(/[.\s]*$/, ".");
    return new ServerError("ARGUMENT", `The Triton server refuses an argument: ${complaint}`);
  }
  const texts = errors.lines.map(plainText);
  const taken = texts.find((text) => /already in use|Address already in use|Failed to add port to server/i.test(text));
  const endpoint = taken && endpoints.find(({ port }) => taken.includes(`:${port}`));
  if (endpoint) return new ServerError("ARGUMENT", portSentence(endpoint, "EADDRINUSE"));
  const library = texts.find((text) => /error while loading shared libraries/.test(text));
  if (library !== undefined) {
    return new ServerError(
      "LIBRARY",
      `The Triton server cannot start on this system: ${library}. Install that library.`,
    );
  }
  const how = end.signal ? `was ended by ${end.signal}` : `ended with code ${end.code}`;
  const last = texts.at(-1);
  const why = last ? `; its last error was: ${last}` : `. Its log is ${place}.`;
  return new ServerError("START", `The Triton server ${how} before it was ready${why}`);
}
