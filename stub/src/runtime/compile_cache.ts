// SPDX-License-Identifier: Apache-2.0
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** The cache of this user; undefined for one without a home, such as a user id of a container that nobody gave a name. */
function userCache(): string | undefined {
  try {
    return isAbsolute(homedir()) ? join(homedir(), ".cache") : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Where Node keeps compiled code between starts; undefined when there is no place for it. Never in a model's folder: the
 * server would take it for a change.
 */
export function compileCacheFolder(): string | undefined {
  const named = process.env.XDG_CACHE_HOME;
  // The specification says that a relative path is to be ignored.
  const base = named && isAbsolute(named) ? named : userCache();
  return base === undefined ? undefined : join(base, "triton-typescript", "compile");
}
