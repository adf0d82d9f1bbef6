// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { messageOf, ServerError } from "./error.ts";

/** The folder for everything that can be fetched or made again: $XDG_CACHE_HOME/triton-typescript or under ~/.cache. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const base = env["XDG_CACHE_HOME"];
  // The specification says that a relative path is to be ignored.
  return path.join(base && path.isAbsolute(base) ? base : path.join(os.homedir(), ".cache"), "triton-typescript");
}

const dayMs = 24 * 3600 * 1000;

/** Removes what a process that was killed left behind a day or more ago. */
function removeLeftovers(parent: string): void {
  for (const name of readdirSync(parent)) {
    const folder = path.join(parent, name);
    if (Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > dayMs) {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

/** A new empty folder inside the cache, on the same file system as what will be renamed out of it. */
export function temporaryFolder(purpose: string, env: NodeJS.ProcessEnv = process.env): string {
  const parent = path.join(cacheFolder(env), "tmp");
  try {
    mkdirSync(parent, { recursive: true });
    removeLeftovers(parent);
    return mkdtempSync(path.join(parent, `${purpose}-`));
  } catch (error) {
    throw new ServerError(
      "CACHE",
      `The cache folder ${cacheFolder(env)} cannot be written (${messageOf(error)}). Make it writable, or set XDG_CACHE_HOME to a folder that is.`,
    );
  }
}
