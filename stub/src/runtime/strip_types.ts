// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { pathToFileURL } from "node:url";

/**
 * The JavaScript of a TypeScript file, as Node's own type stripping makes it: every line and column stays where it is.
 * Node's remark that the function is experimental is kept back.
 *
 * @throws the error that Node throws for the file: ERR_INVALID_TYPESCRIPT_SYNTAX or ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX
 */
export function stripTypes(file: string): string {
  const emitWarning = process.emitWarning;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(readFileSync(file, "utf8"), {
      mode: "strip",
      // Names the file in the error's stack.
      sourceUrl: pathToFileURL(file).href,
    });
  } finally {
    process.emitWarning = emitWarning;
  }
}
