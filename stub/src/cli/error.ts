// SPDX-License-Identifier: Apache-2.0
import { messageOf, ServerError, type ServerErrorCode } from "../../../server/error.ts";

/** A failure that the person at the terminal can mend: it is printed as its one sentence, without a stack. */
export class CliError extends Error {
  override readonly name = "CliError";
}

/** What the options of the command add to a sentence of the server's. */
const hints: Partial<Record<ServerErrorCode, (sentence: string) => string>> = {
  UNSUPPORTED: (sentence) => `${sentence} Install Triton and name it with --server PATH or TRITON_SERVER.`,
  PIP: (sentence) => sentence.replace(/\.$/, ", or use an installed Triton with --server PATH."),
  LIBRARY: (sentence) => sentence.replace(/\.$/, ", or use another Triton with --server PATH."),
  UNREACHABLE: (sentence) => `${sentence} Start one with "triton-ts serve", or name its HTTP address with --url.`,
};

/** The message of anything that was thrown, as the command says it. */
export function sentenceOf(error: unknown): string {
  const hint = error instanceof ServerError ? hints[error.code] : undefined;
  return hint === undefined ? messageOf(error) : hint(messageOf(error));
}
