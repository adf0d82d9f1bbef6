// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The fake tritonserver's path. */
export const fakeServer = fileURLToPath(new URL("./fake_tritonserver.mjs", import.meta.url));

/** A folder that is removed by `remove`. */
export function scratchFolder(): { folder: string; remove: () => void } {
  const folder = mkdtempSync(path.join(os.tmpdir(), "triton-ts-test-"));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
