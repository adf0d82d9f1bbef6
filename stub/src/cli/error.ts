// SPDX-License-Identifier: Apache-2.0
import { ClientError } from "../../../client/http/index.ts";
import { messageOf, ServerError, type ServerErrorCode } from "../../../server/error.ts";

/** A failure that the person at the terminal can mend: it is printed as its one sentence, without a stack. */
export class CliError extends Error {
  override readonly name = "CliError";
}

/** What the options of the command add to a sentence of the server's. */
const hints: Partial<Record<ServerErrorCode, (sentence: string) => string>> = {
  UNSUPPORTED: (sentence) => `${sentence} Install Triton and name it with --server PATH or TRITON_SERVER.`,
  PIP: (sentence) => {
    const what = sentence.includes("installed Triton") ? "it" : "an installed Triton";
    return sentence.replace(/\.$/, `, or use ${what} with --server PATH.`);
  },
  LIBRARY: (sentence) => sentence.replace(/\.$/, ", or use another Triton with --server PATH."),
};

/** What the client says, without what it advises programs to call. */
function clientSentence({ reason, status, serverMessage, message }: ClientError): string {
  if (reason === "ANSWER") {
    return `The server answered with an error (HTTP ${status}): ${serverMessage || "no reason given"}`;
  }
  if (reason !== "UNREACHABLE") return message;
  return `${message} Start one with "triton-ts serve", or name its HTTP address with --url.`;
}

/** The message of anything that was thrown, as the command says it. */
export function sentenceOf(error: unknown): string {
  if (error instanceof ClientError) return clientSentence(error);
  const hint = error instanceof ServerError ? hints[error.code] : undefined;
  return hint === undefined ? messageOf(error) : hint(messageOf(error));
}
