// SPDX-License-Identifier: Apache-2.0
// Running a tool to its end, with its output in the error when it fails.

import { type ExecFileOptions, execFile } from "node:child_process";
import path from "node:path";

/** Gives what the command wrote to stdout. Throws a sentence with the end of its output. */
export function shell(command: string, args: readonly string[], options: ExecFileOptions = {}): Promise<string> {
  const whole = { maxBuffer: 64 << 20, killSignal: "SIGKILL", ...options, encoding: "utf8" } as const;
  return new Promise((resolve, reject) => {
    execFile(command, args, whole, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      if (typeof error.code === "string") return reject(new Error(`${command} could not be run: ${error.message}`));
      const tail = `${stdout}${stderr}`.trim().split("\n").slice(-15).join("\n");
      reject(new Error(`${path.basename(command)} ended with ${error.signal ?? `exit code ${error.code}`}:\n${tail}`));
    });
  });
}
