// SPDX-License-Identifier: Apache-2.0
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** Where Node keeps compiled code between starts. Never in a model's folder: the server would take it for a change. */
export function compileCacheFolder(): string | undefined {
  const named = process.env.XDG_CACHE_HOME;
  // The specification says that a relative path is to be ignored.
  const base = named && isAbsolute(named) ? named : homedir() && join(homedir(), ".cache");
  return base ? join(base, "triton-typescript", "compile") : undefined;
}
