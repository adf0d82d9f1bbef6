// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { log } from "./logging.ts";

/** The nearest `tsconfig.json` in `folder` or above it. */
export function findTsconfig(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const path = join(at, "tsconfig.json");
    if (existsSync(path)) return path;
    if (at === dirname(at)) return undefined;
  }
}

/** Of the compiler's options, those that decide how a model is loaded. */
export interface CompilerOptions {
  readonly baseUrl?: string;
  readonly paths?: Readonly<Record<string, readonly string[]>>;
  readonly emitDecoratorMetadata?: boolean;
}

/** What is wrong with the text of a `tsconfig.json`, whose parser takes what it understands and says nothing. */
function syntaxProblem(text: string): string | undefined {
  if (text.trim() === "") return undefined;
  try {
    // JSON with comments and trailing commas is an expression of JavaScript. It is only parsed.
    const { Script } = process.getBuiltinModule("node:vm");
    new Script(`(${text}\n)`);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** What a `tsconfig.json` says, with all that it extends. What cannot be read of it counts as left out, with a warning. */
export async function compilerOptions(tsconfig: string | undefined): Promise<CompilerOptions> {
  if (tsconfig === undefined) return {};
  const { parseTsconfig } = await import("get-tsconfig");
  let problem: string | undefined;
  let options: CompilerOptions = {};
  try {
    problem = syntaxProblem(readFileSync(tsconfig, "utf8"));
    options = (parseTsconfig(tsconfig).compilerOptions ?? {}) as CompilerOptions;
  } catch (error) {
    problem ??= (error as Error).message;
  }
  if (problem !== undefined) log("W", `'${tsconfig}' cannot be read in full, and may count as empty: ${problem}`);
  return options;
}
