// SPDX-License-Identifier: Apache-2.0
// A server that finds nothing that an earlier one has compiled, as in a new container.

import { mkdtempSync, rmSync } from "node:fs";
import path from "node:path";
import { BENCH_DIR } from "./setup.ts";

/** Gives `use` the environment for such a server, and removes what was kept there afterwards. */
export async function withEmptyCache<T>(use: (env: Readonly<Record<string, string>>) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(BENCH_DIR, "cache-"));
  try {
    return await use({ XDG_CACHE_HOME: folder });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
