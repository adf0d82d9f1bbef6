// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { root } from "./paths.mjs";

/** A failure that the user can mend: printed as one sentence, without a stack. */
export class SetupError extends Error {}

/** Runs a command with the terminal's own input and output; gives its exit code (128 + n for a signal). */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: "inherit", ...options });
    // Ctrl-C reaches the child by itself, a SIGTERM does not.
    const passOn = () => child.kill("SIGTERM");
    process.on("SIGTERM", passOn);
    child.once("error", reject);
    child.once("close", (code, signal) => {
      process.off("SIGTERM", passOn);
      resolve(code ?? (signal === "SIGINT" ? 130 : 143));
    });
  });
}

/** Runs a command quietly; its output is only shown when it fails. */
export async function runQuietly(command, args, what, options = {}) {
  const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], ...options });
  const chunks = [];
  child.stdout.on("data", (chunk) => chunks.push(chunk));
  child.stderr.on("data", (chunk) => chunks.push(chunk));
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => resolve(status ?? signal));
  });
  if (code !== 0) {
    process.stderr.write(Buffer.concat(chunks));
    throw new SetupError(`${what} failed (${path.basename(command)} ended with ${code}); its output is above.`);
  }
}

/** True when an executable of that name is on PATH. */
export function onPath(name, env = process.env) {
  return (env.PATH ?? "").split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, name), constants.X_OK);
      return folder !== "";
    } catch {
      return false;
    }
  });
}

export function succeeds(command, args) {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}
