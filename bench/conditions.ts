// SPDX-License-Identifier: Apache-2.0
// What a figure is worth depends on where and how it was taken: machine, versions, date and command.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import os from "node:os";
import { packageRoot, packageVersion } from "../server/package_root.ts";
import { SHOWN_ROUNDS } from "./grid.ts";
import { figure } from "./numbers.ts";
import type { PartContext } from "./part.ts";

/** What the page says of them, by what it calls them. */
export type Conditions = Readonly<Record<string, string>>;

function orUnknown(look: () => string | undefined): string {
  try {
    return look() ?? "unknown";
  } catch {
    return "unknown";
  }
}

const read = (file: string) => readFileSync(file, "utf8");
const distribution = () => /^PRETTY_NAME="?([^"\n]*)/m.exec(read("/etc/os-release"))?.[1];
/** What is measured, as git names it. */
const commit = () =>
  execFileSync("git", ["describe", "--always", "--dirty"], {
    cwd: packageRoot,
    encoding: "utf8",
    stdio: "pipe",
  }).trim();

/** `triton` is how the server names itself. To be called before the load begins. */
export function conditions(context: PartContext, triton: string, command: string): Conditions {
  const { python } = context.bench;
  const cpu = os.cpus()[0]?.model ?? "unknown";
  return {
    date: new Date().toISOString().slice(0, 10),
    command: `\`${command}\``,
    processor: `${cpu}, ${os.availableParallelism()} cores; client, server and stubs share them`,
    memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    system: `${orUnknown(distribution)}, Linux ${os.release()}`,
    "load before the run": figure(os.loadavg()[0] ?? 0),
    server: `${triton}, no GPU`,
    "this package": `triton-typescript ${packageVersion}, commit ${orUnknown(commit)}, stubs on Node ${process.version}`,
    python_backend: `of the same server, Python ${python.version}, numpy ${python.numpy}`,
    rounds: `${context.rounds} (at most ${SHOWN_ROUNDS} for what stands beside the aims and decides none; idle and memory: one reading), each measurement of \`perf_analyzer\` three windows of ${context.windowMs} ms`,
  };
}
