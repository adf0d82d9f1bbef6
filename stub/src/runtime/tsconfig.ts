// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

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

/** What a `tsconfig.json` says, with all that it extends; nothing when it cannot be read, which who compiles will say. */
export async function compilerOptions(tsconfig: string | undefined): Promise<CompilerOptions> {
  if (tsconfig === undefined) return {};
  const { parseTsconfig } = await import("get-tsconfig");
  try {
    return (parseTsconfig(tsconfig).compilerOptions ?? {}) as CompilerOptions;
  } catch {
    return {};
  }
}
