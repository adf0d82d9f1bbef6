// SPDX-License-Identifier: Apache-2.0
// Entry of a stub process; backend-shim/src/stub.c starts it. The compile cache is on before anything else is loaded.
import { enableCompileCache } from "node:module";
import { compileCacheFolder } from "./compile_cache.ts";

const folder = compileCacheFolder();
if (folder !== undefined) enableCompileCache(folder);
try {
  const { startStub } = await import("./stub.ts");
  startStub(new URL("../api/index.js", import.meta.url).href);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
