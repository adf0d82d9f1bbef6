// SPDX-License-Identifier: Apache-2.0
import { createWriteStream, mkdirSync } from "node:fs";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { ServerError } from "./error.ts";

export interface UnzipOptions {
  /** Whether an entry is wanted. Names use "/" and have no leading "/". */
  accept?: (name: string) => boolean;
  /** Whether an unpacked file gets its execute bit. */
  executable?: (name: string) => boolean;
}

const fileTypeMask = 0o170000;
const symbolicLink = 0o120000;

/** The place of an entry below the folder; throws for a name that would leave it, and for links, which could. */
export function placeOf(folder: string, name: string, externalAttributes = 0): string {
  const target = path.resolve(folder, name);
  const outside = target !== folder && !target.startsWith(folder + path.sep);
  if (outside || path.isAbsolute(name) || name.includes("\\") || name.includes("\0")) {
    throw new ServerError(
      "ARCHIVE",
      `The archive holds the unsafe name ${JSON.stringify(name)}; nothing of it is used.`,
    );
  }
  if (((externalAttributes >>> 16) & fileTypeMask) === symbolicLink) {
    throw new ServerError(
      "ARCHIVE",
      `The archive holds a symbolic link, ${JSON.stringify(name)}; nothing of it is used.`,
    );
  }
  return target;
}

async function unpackEntry(zip: ZipFile, entry: Entry, target: string, mode: number): Promise<void> {
  mkdirSync(path.dirname(target), { recursive: true });
  const source = await zip.openReadStreamPromise(entry);
  await pipeline(source, createWriteStream(target, { mode, flags: "wx" }));
}

/** Unpacks an archive into a folder and gives the names of the files that it made. */
export async function unzip(archive: string, folder: string, options: UnzipOptions = {}): Promise<string[]> {
  const root = path.resolve(folder);
  const names: string[] = [];
  const zip = await openPromise(archive, { lazyEntries: true, autoClose: false });
  try {
    for await (const entry of zip.eachEntry()) {
      const name = entry.fileName;
      const target = placeOf(root, name, entry.externalFileAttributes);
      if (name.endsWith("/") || options.accept?.(name) === false) continue;
      await unpackEntry(zip, entry, target, options.executable?.(name) ? 0o755 : 0o644);
      names.push(name);
    }
  } finally {
    zip.close();
  }
  return names;
}
