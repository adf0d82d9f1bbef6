// SPDX-License-Identifier: Apache-2.0
// Node's type stripper takes 16 MiB that a process never gives back, and Node keeps what it has stripped on disk. A model
// that is new is therefore stripped by a process of its own, and the one that serves it finds the result.
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ResolverOptions } from "./model_resolver.ts";

/** A model that takes longer is stripped where it is served. */
const TIMEOUT_MS = 30_000;

/** What the helper is told; it comes as its one argument, as JSON. */
export interface CompileAheadJob extends ResolverOptions {
  readonly compileCacheDir: string;
}

/** Two sums of the FNV kind tell one text from another; `node:crypto` would take 3 MiB in every process for it. */
function digestOf(text: string): string {
  let a = 0x811c9dc5;
  let b = 0x01000193;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x85ebca6b);
  }
  return [a, b].map((sum) => (sum >>> 0).toString(16).padStart(8, "0")).join("");
}

/** Stands in the cache once this text of this file was given to this Node; what it imports is not looked at. */
function markOf({ file, compileCacheDir }: CompileAheadJob): string {
  const digest = digestOf([process.version, file, readFileSync(file, "utf8")].join("\0"));
  return join(compileCacheDir, "ahead", digest);
}

function helper(): string {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return fileURLToPath(new URL(`./compile_ahead_main.${extension}`, import.meta.url));
}

/** How Node takes links here must be how the helper does: the names of files are part of what is cached. */
function linkOptions(): string[] {
  return process.execArgv.filter((option) => option === "--preserve-symlinks");
}

/** Waits for the helper to end, however that goes: a model with a fault is tried once. False when it did not end. */
async function ended(job: CompileAheadJob): Promise<boolean> {
  const { execFile } = await import("node:child_process");
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [...linkOptions(), helper(), JSON.stringify(job)],
      { timeout: TIMEOUT_MS, killSignal: "SIGKILL" },
      (error) => resolve(error === null || typeof error.code === "number"),
    );
  });
}

/**
 * Has the types of a model's file, and of the files that it imports, stripped by a process of its own, unless that was
 * done before. Not one line of the model is run. Whatever goes wrong is left to the import that follows, which says so.
 */
export async function compileAhead(job: CompileAheadJob): Promise<void> {
  if (!/\.m?ts$/.test(job.file)) return;
  try {
    const mark = markOf(job);
    if (existsSync(mark)) return;
    // Without a cache that can be written there is no one to do it for.
    mkdirSync(dirname(mark), { recursive: true });
    accessSync(dirname(mark), constants.W_OK);
    if (await ended(job)) writeFileSync(mark, "");
  } catch {
    // No cache, or a file that cannot be read.
  }
}
