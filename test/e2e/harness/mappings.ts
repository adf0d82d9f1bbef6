// SPDX-License-Identifier: Apache-2.0
// What a process has in its memory.
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";

/** Whether the server, with what this process may, too, can open a file through its mapping: root, outside of containers. */
export const opensMappings = (() => {
  const [first] = readdirSync("/proc/self/map_files");
  try {
    closeSync(openSync(`/proc/self/map_files/${first}`, "r"));
    return true;
  } catch {
    return false;
  }
})();

/** Whether a process has a file in its memory whose path begins so, whatever that name leads to now. */
export const isMappedBy = (pid: number | undefined, path: string): boolean =>
  readFileSync(`/proc/${pid}/maps`, "utf8").includes(path);
