// SPDX-License-Identifier: Apache-2.0
import path from "node:path";
import type { Installation } from "./installation.ts";
import { packageRoot, stubNode } from "./package_root.ts";

/** This process's environment with what a server needs to find its libraries, and the backend its runtime and Node. */
export function environmentFor(installation: Installation): NodeJS.ProcessEnv {
  const libraries = [...installation.libraryPath, process.env["LD_LIBRARY_PATH"] ?? ""].filter((entry) => entry !== "");
  return {
    ...process.env,
    ...(libraries.length > 0 ? { LD_LIBRARY_PATH: libraries.join(path.delimiter) } : {}),
    TRITON_TYPESCRIPT_RUNTIME: process.env["TRITON_TYPESCRIPT_RUNTIME"] || packageRoot,
    TRITON_TYPESCRIPT_NODE: stubNode(),
  };
}
