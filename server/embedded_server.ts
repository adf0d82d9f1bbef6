// SPDX-License-Identifier: Apache-2.0
// The server that serves when no Triton is installed: fetched once, checked at every start, kept in the cache. Those of
// other releases, for tests, come the same way.
import { mkdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { cacheFolder, isDenied, temporaryFolder, unwritable } from "./cache.ts";
import { downloadWheel } from "./download.ts";
import { codeOf, ServerError } from "./error.ts";
import { type CacheState, checkFiles, type PinnedFiles, writeFileList } from "./file_list.ts";
import type { Installation } from "./installation.ts";
import { unzip } from "./unzip.ts";
import { type ServerWheel, serverWheel, wheelExecutables, wheelParts } from "./versions.ts";

/** The folder of a pinned server in the cache; those that only tests start are apart. */
export function embeddedFolder(wheel = serverWheel): string {
  const group = wheel === serverWheel ? "servers" : "test-servers";
  // A home folder may be shared by machines of both kinds.
  const suffix = wheel.arch === "x64" ? "" : `-${wheel.arch}`;
  return path.join(cacheFolder(), group, `${wheel.package}-${wheel.version}${suffix}`);
}

/** Why the embedded server, or another one, cannot run on this machine, or undefined. */
export function unsupported(
  machine: { platform: string; arch: string; glibc: string | undefined } = thisMachine(),
  wheel?: ServerWheel,
): ServerError | undefined {
  const because = (sentence: string) => new ServerError("UNSUPPORTED", sentence);
  const arches = wheel === undefined ? ["x64", "arm64"] : [wheel.arch];
  const { glibc } = wheel ?? serverWheel;
  if (machine.platform !== "linux" || !arches.includes(machine.arch)) {
    return because(
      `The embedded Triton server exists for Linux on ${arches.join(" and ")} only, this is ${machine.platform} on ${machine.arch}.`,
    );
  }
  if (machine.glibc === undefined) {
    return because("The embedded Triton server needs the GNU C library, which this system does not use.");
  }
  if (compareVersions(machine.glibc, glibc) < 0) {
    return because(`The embedded Triton server needs glibc ${glibc} or newer, this system has ${machine.glibc}.`);
  }
  return undefined;
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split(".").map(Number));
  return (left?.[0] ?? 0) - (right?.[0] ?? 0) || (left?.[1] ?? 0) - (right?.[1] ?? 0);
}

function thisMachine() {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return { platform: process.platform, arch: process.arch, glibc: report.header?.glibcVersionRuntime };
}

/** Compares the cached server with what is pinned. */
export function checkCache(folder: string, pinned: PinnedFiles = serverWheel): Promise<CacheState> {
  return checkFiles(folder, pinned, wheelExecutables);
}

/** Removes a folder that is out of the way; what cannot be read there cannot be removed either. */
function removeIfAllowed(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    if (!isDenied(error)) throw error;
  }
}

/** Moves a folder out of the way; a server that still runs from it keeps its open files. */
function discard(folder: string): void {
  const grave = temporaryFolder("discarded");
  try {
    renameSync(folder, path.join(grave, "server"));
  } catch (error) {
    if (isDenied(error)) throw unwritable(error);
    if (codeOf(error) !== "ENOENT") throw error;
  } finally {
    removeIfAllowed(grave);
  }
}

/** Puts a complete folder in place in one step. The first of several processes wins, the others use its result. */
function publish(complete: string, folder: string): void {
  mkdirSync(path.dirname(folder), { recursive: true });
  try {
    renameSync(complete, folder);
  } catch (error) {
    if (codeOf(error) !== "ENOTEMPTY" && codeOf(error) !== "EEXIST") throw error;
  }
}

async function unpackWheel(archive: string, sum: string, folder: string, interrupt: AbortSignal): Promise<void> {
  const names = await unzip(archive, folder, {
    accept: (name) => {
      interrupt.throwIfAborted();
      return wheelParts.test(name);
    },
    executable: (name) => wheelExecutables.test(name),
  });
  await writeFileList(folder, names, sum);
}

async function fetchServer(wheel: ServerWheel, folder: string, stream: NodeJS.WriteStream): Promise<void> {
  const work = temporaryFolder("fetch");
  // A signal ends the fetch through the same way as a failure, so that nothing half done stays in the cache.
  const interrupt = new AbortController();
  const quit = () => interrupt.abort();
  process.on("SIGINT", quit).on("SIGTERM", quit);
  try {
    stream.write(`Fetching Triton ${wheel.tritonVersion} (${Math.round(wheel.bytes / 1e6)} MB, once) ...\n`);
    const archive = await downloadWheel(work, stream, interrupt.signal, wheel);
    const complete = path.join(work, "server");
    mkdirSync(complete);
    await unpackWheel(archive, wheel.sha256, complete, interrupt.signal);
    publish(complete, folder);
  } catch (error) {
    if (interrupt.signal.aborted)
      throw new ServerError("INTERRUPTED", "Interrupted; what was fetched so far is removed.");
    if (codeOf(error) === "ENOSPC") {
      throw new ServerError(
        "CACHE",
        `The disk of the cache folder ${cacheFolder()} is full: the Triton server needs about 400 MB there. Make room, or set XDG_CACHE_HOME to another disk.`,
      );
    }
    throw isDenied(error) ? unwritable(error) : error;
  } finally {
    process.removeListener("SIGINT", quit).removeListener("SIGTERM", quit);
    rmSync(work, { recursive: true, force: true });
  }
}

/** The server inside an unpacked wheel. */
function serverInWheel(folder: string): Installation {
  const prefix = path.join(folder, "pytriton", "tritonserver");
  return {
    kind: "embedded",
    binary: path.join(prefix, "bin", "tritonserver"),
    libraryPath: [path.join(folder, "nvidia_pytriton.libs")],
    cacheDirectory: path.join(prefix, "caches"),
  };
}

/** Gives the embedded server, after fetching or mending it where needed. What it does is told on `stream`. */
export async function ensureEmbeddedServer(stream: NodeJS.WriteStream, wheel = serverWheel): Promise<Installation> {
  const reason = unsupported(undefined, wheel);
  if (reason !== undefined) throw reason;
  return ensureServer(stream, wheel);
}

/** The same, without asking whether the server can run on this machine. */
export async function ensureServer(stream: NodeJS.WriteStream, wheel: ServerWheel): Promise<Installation> {
  const folder = embeddedFolder(wheel);
  const found = await checkCache(folder, wheel);
  if (found.state === "broken") {
    stream.write(`The cached Triton server is broken (${found.file} is ${found.what}); it is fetched again.\n`);
    discard(folder);
  }
  if (found.state !== "sound") {
    await fetchServer(wheel, folder, stream);
    const after = await checkCache(folder, wheel);
    if (after.state !== "sound") {
      throw new ServerError(
        "CACHE",
        `The cached Triton server in ${folder} is broken again right after it was fetched. Delete that folder and check the disk.`,
      );
    }
  }
  return serverInWheel(folder);
}
