// SPDX-License-Identifier: Apache-2.0
// An unpacked server is checked at every start: each file by its hash, and nothing else may lie there. The list of the
// hashes lies beside the files, where whoever changes one may change the list as well (any model can), so it counts only
// when its own digest is the one that is pinned in the program.
import { createHash } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { isDenied } from "./cache.ts";
import { sha256 } from "./download.ts";

/** What is known of a server before it is fetched. */
export interface PinnedFiles {
  /** The SHA-256 of the archive that it comes in. */
  readonly sha256: string;
  /** The digest of the list of its unpacked files, see fileListDigest. */
  readonly filesSha256: string;
}

type Files = Readonly<Record<string, string>>;

export type CacheState =
  | { state: "absent" }
  | { state: "sound" }
  | { state: "broken"; file: string; what: "missing" | "changed" | "unknown" | "unreadable" };

const listName = "stamp.json";

/**
 * The digest of a list of files: over lines as sha256sum writes them, in the order of their names. For a new server:
 * `find . -type f ! -name stamp.json -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum`.
 */
export function fileListDigest(files: Files): string {
  const lines = Object.keys(files)
    .sort()
    .map((name) => `${files[name]}  ${name}\n`);
  return createHash("sha256").update(lines.join("")).digest("hex");
}

/** Writes the list of the files that were unpacked into a folder. */
export async function writeFileList(folder: string, names: readonly string[], archive: string): Promise<void> {
  const files: Record<string, string> = {};
  for (const name of names) files[name] = await sha256(path.join(folder, name));
  writeFileSync(path.join(folder, listName), `${JSON.stringify({ wheel: archive, files }, null, 2)}\n`);
}

/** Whether an entry makes one line of the list and no more: two lists must not have one digest. */
function isLine([name, hash]: [string, unknown]): boolean {
  return !/\p{Cc}/u.test(name) && typeof hash === "string" && /^[0-9a-f]{64}$/.test(hash);
}

function readFileList(folder: string, pinned: PinnedFiles): Files | undefined {
  const file = path.join(folder, listName);
  try {
    if (!lstatSync(file).isFile()) return undefined;
    const { wheel, files } = JSON.parse(readFileSync(file, "utf8")) as { wheel?: string; files?: Files };
    if (wheel !== pinned.sha256 || files === undefined || !Object.entries(files).every(isLine)) return undefined;
    return fileListDigest(files) === pinned.filesSha256 ? files : undefined;
  } catch {
    return undefined;
  }
}

/** Whatever lies below a folder and is no folder. Links are not followed. */
function namesUnder(folder: string, below = ""): string[] {
  return readdirSync(path.join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(below, entry.name);
    return entry.isDirectory() ? namesUnder(folder, name) : [name];
  });
}

/** Whether a file is there as it was unpacked. A link is not, wherever it leads. */
async function isWhole(file: string, wanted: string, executable: boolean): Promise<boolean> {
  const info = lstatSync(file);
  return info.isFile() && (!executable || (info.mode & 0o100) !== 0) && (await sha256(file)) === wanted;
}

/** Compares what lies in a folder with what is pinned. */
export async function checkFiles(folder: string, pinned: PinnedFiles, executables: RegExp): Promise<CacheState> {
  if (!existsSync(folder)) return { state: "absent" };
  try {
    return await compareFiles(folder, pinned, executables);
  } catch (error) {
    if (!isDenied(error)) throw error;
    return { state: "broken", file: (error as NodeJS.ErrnoException).path ?? folder, what: "unreadable" };
  }
}

async function compareFiles(folder: string, pinned: PinnedFiles, executables: RegExp): Promise<CacheState> {
  const files = readFileList(folder, pinned);
  if (files === undefined) return { state: "broken", file: path.join(folder, listName), what: "unreadable" };
  const found = new Set(namesUnder(folder));
  found.delete(listName);
  for (const [name, wanted] of Object.entries(files)) {
    const file = path.join(folder, name);
    if (!found.delete(name)) return { state: "broken", file, what: "missing" };
    if (!(await isWhole(file, wanted, executables.test(name)))) return { state: "broken", file, what: "changed" };
  }
  // The server would load a library that somebody put there.
  for (const name of found) return { state: "broken", file: path.join(folder, name), what: "unknown" };
  return { state: "sound" };
}
