// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { codeOf, messageOf, ServerError } from "./error.ts";

/** The home folder of this user; undefined for one without, such as a user id that has no entry in passwd. */
export function homeFolder(): string | undefined {
  try {
    return path.isAbsolute(os.homedir()) ? os.homedir() : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The folder for everything that can be fetched or made again: $XDG_CACHE_HOME/triton-typescript or under ~/.cache.
 *
 * @throws ServerError when there is neither
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const named = env["XDG_CACHE_HOME"];
  // The specification says that a relative path is to be ignored.
  if (named && path.isAbsolute(named)) return path.join(named, "triton-typescript");
  const home = homeFolder();
  if (home !== undefined) return path.join(home, ".cache", "triton-typescript");
  throw new ServerError(
    "CACHE",
    "This user has no home folder, so there is no place for a cache. Set XDG_CACHE_HOME to a folder that can be written.",
  );
}

/** Whether an error says that a cache is one that another user filled, or lies on a disk that can only be read. */
export function isDenied(error: unknown): boolean {
  return ["EACCES", "EPERM", "EROFS"].includes(codeOf(error) ?? "");
}

/** The error for a cache folder that this user cannot change. */
export function unwritable(error: unknown, env: NodeJS.ProcessEnv = process.env): ServerError {
  return new ServerError(
    "CACHE",
    `The cache folder ${cacheFolder(env)} cannot be written (${messageOf(error)}). Make it writable, or set XDG_CACHE_HOME to a folder that is.`,
  );
}

const dayMs = 24 * 3600 * 1000;

/** Removes what a process that was killed left behind a day or more ago. */
function removeLeftovers(parent: string): void {
  for (const name of readdirSync(parent)) {
    const folder = path.join(parent, name);
    if (Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) <= dayMs) continue;
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch {
      // Another user's, in a cache that several share: it is theirs to remove.
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
    throw unwritable(error, env);
  }
}
