// SPDX-License-Identifier: Apache-2.0
// Runs the command line from its sources in a process of its own, with a cache folder of its own.
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));

export interface Run {
  child: ChildProcess;
  stdout: () => string;
  stderr: () => string;
  /** Waits until a text appears on standard output. Rejects when the process ends before. */
  shows: (text: string) => Promise<void>;
  ended: Promise<number | null>;
}

/** Starts triton-ts with these arguments; `as` npx does, in a shell that hands no signal on. */
export function runCli(args: readonly string[], env: NodeJS.ProcessEnv, as?: "npx"): Run {
  const command = [process.execPath, main, ...args];
  const whole = as === "npx" ? ["sh", "-c", '"$@"; exit $?', "sh", ...command] : command;
  const child = spawn(whole[0]!, whole.slice(1), {
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once("close", (code) => resolve(code));
  });
  const shows = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (stdout.includes(text)) resolve();
      };
      child.stdout.on("data", look);
      child.once("close", () => reject(new Error(`ended without showing ${text}: ${stdout}${stderr}`)));
      look();
    });
  return { child, stdout: () => stdout, stderr: () => stderr, shows, ended };
}
