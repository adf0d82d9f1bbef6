// SPDX-License-Identifier: Apache-2.0

/** A failure that the person at the terminal can mend: it is printed as its one sentence, without a stack. */
export class CliError extends Error {
  override readonly name = "CliError";
  /** What the process ends with. */
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
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
