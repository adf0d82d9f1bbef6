// SPDX-License-Identifier: Apache-2.0
// What a figure is worth depends on where it was taken: machine, versions, date and command.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Server } from "./server.ts";
import { ROOT, type Workbench } from "./setup.ts";

export interface Conditions {
  date: string;
  command: string;
  cpu: string;
  cores: number;
  memoryGib: number;
  kernel: string;
  distribution: string;
  /** Mean number of runnable processes in the minute before the run. */
  loadAverage: number;
  triton: string;
  package: string;
  /** What was measured, as git names it; "unknown" outside of a checkout. */
  commit: string;
  node: string;
  python: string;
  numpy: string;
}

function distribution(): string {
  try {
    const text = readFileSync("/etc/os-release", "utf8");
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? "unknown";
  } catch {
    return "unknown";
  }
}

function commit(): string {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty"], {
      cwd: ROOT,
      encoding: "utf8",
      stdio: "pipe",
    }).trim();
  } catch {
    return "unknown";
  }
}

/** To be called before the load begins. */
export async function conditions(bench: Workbench, server: Server, command: string): Promise<Conditions> {
  const manifest = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as {
    name: string;
    version: string;
  };
  return {
    date: new Date().toISOString().slice(0, 10),
    command,
    cpu: os.cpus()[0]?.model ?? "unknown",
    cores: os.availableParallelism(),
    memoryGib: Math.round(os.totalmem() / 2 ** 30),
    kernel: os.release(),
    distribution: distribution(),
    loadAverage: os.loadavg()[0] ?? 0,
    triton: await server.version(),
    package: `${manifest.name} ${manifest.version}`,
    commit: commit(),
    node: process.version,
    python: bench.python.version,
    numpy: bench.python.numpy,
  };
}
