// SPDX-License-Identifier: Apache-2.0
// Sees to it that no process is left when the one that started it dies, of whatever.
import { existsSync } from "node:fs";
import path from "node:path";

/** setpriv (util-linux) asks the kernel to end a command when the process that started it dies, even of SIGKILL. */
function setpriv(env: NodeJS.ProcessEnv): string | undefined {
  for (const folder of (env["PATH"] ?? "").split(path.delimiter)) {
    const candidate = path.join(folder, "setpriv");
    if (folder !== "" && existsSync(candidate)) return candidate;
  }
  return undefined;
}

/** True when a guarded command ends together with this process, however that ends. */
export function diesWithUs(env: NodeJS.ProcessEnv = process.env): boolean {
  return setpriv(env) !== undefined;
}

/** The command with a guard before it that becomes the command itself, where setpriv is there. */
export function guarded(command: readonly string[], signal: "TERM" | "KILL", env: NodeJS.ProcessEnv): string[] {
  const guard = setpriv(env);
  return guard === undefined ? [...command] : [guard, "--pdeathsig", signal, "--", ...command];
}
