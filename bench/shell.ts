// SPDX-License-Identifier: Apache-2.0
// Running a tool to its end, with its output in the error when it fails.

import { spawn } from "node:child_process";
import path from "node:path";

export interface ShellOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Kill the tool after this many milliseconds. */
  timeoutMs?: number;
}

/** Runs a command and returns what it wrote to stdout. Throws a sentence with the end of its output. */
export function shell(command: string, args: readonly string[], options: ShellOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: options.timeoutMs,
      killSignal: "SIGKILL",
    });
    const out: Buffer[] = [];
    const all: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => {
      out.push(chunk);
      all.push(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => all.push(chunk));
    child.once("error", (error) => reject(new Error(`${command} could not be started: ${error.message}`)));
    child.once("close", (code, signal) => {
      if (code === 0) {
        resolve(Buffer.concat(out).toString());
        return;
      }
      const tail = Buffer.concat(all).toString().trim().split("\n").slice(-15).join("\n");
      reject(new Error(`${path.basename(command)} ended with ${signal ?? `exit code ${code}`}:\n${tail}`));
    });
  });
}
