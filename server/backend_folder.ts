// SPDX-License-Identifier: Apache-2.0
// Triton looks for backends in one folder. Ours come from several places, so that folder is made of links. Its name
// is a digest of the links: the same backends give the same folder, and nothing in it ever changes.
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import path from "node:path";
import { cacheFolder, temporaryFolder } from "./cache.ts";
import { codeOf, messageOf, ServerError } from "./error.ts";
import type { Installation } from "./installation.ts";
import { backendLibrary, packageRoot } from "./package_root.ts";

export interface BackendSources {
  /** libtriton_typescript.so. */
  library: string;
  /** The package's own folder of TypeScript-based backends. */
  builtIn: string;
  /** The folder of backends of an installed Triton, which wins over the package's own. */
  installed?: string;
  /** Folders that the user named, which win over all; a later one wins over an earlier one. */
  users: readonly string[];
}

/** Links to make: place inside the folder to what it points at. */
export type Links = Map<string, string>;

const modelFiles = ["model.ts", "model.mts", "model.js", "model.mjs"];

const libraryOf = (name: string) => `libtriton_${name}.so`;

function subfolders(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .filter((name) => !name.startsWith(".") && statSync(path.join(folder, name)).isDirectory());
}

/** Links for one backend: as it is when it brings a library, else its files beside a link to our library. */
function linksOfBackend(folder: string, name: string, library: string): Links {
  const source = path.join(folder, name);
  const entries = readdirSync(source);
  if (entries.includes(libraryOf(name)) || !entries.some((entry) => modelFiles.includes(entry))) {
    return new Map([[name, source]]);
  }
  const links: Links = new Map([[path.join(name, libraryOf(name)), library]]);
  for (const entry of entries.sort()) {
    if (entry !== "node_modules") links.set(path.join(name, entry), path.join(source, entry));
  }
  return links;
}

function checkUserFolder(folder: string): void {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    const what = existsSync(folder) ? "is a file" : "does not exist";
    throw new ServerError(
      "ARGUMENT",
      `The backends folder ${folder} ${what}. Give a folder with one subfolder per backend.`,
    );
  }
  if (readdirSync(folder).some((entry) => modelFiles.includes(entry))) {
    throw new ServerError(
      "ARGUMENT",
      `The folder ${folder} is a backend itself. Give the folder around it, which holds one subfolder per backend.`,
    );
  }
}

/** Decides what the folder of backends holds. Throws ServerError for a user's folder that cannot be one. */
export function planBackends(sources: BackendSources): Links {
  const chosen = new Map<string, Links>();
  const take = (folder: string) => {
    for (const name of subfolders(folder)) chosen.set(name, linksOfBackend(folder, name, sources.library));
  };
  if (existsSync(sources.builtIn)) take(sources.builtIn);
  if (sources.installed !== undefined && existsSync(sources.installed)) take(sources.installed);
  for (const folder of sources.users) {
    const full = path.resolve(folder);
    checkUserFolder(full);
    take(full);
  }
  // An older copy of ours in an installed Triton would not fit the rest of this package.
  chosen.set("typescript", new Map([[path.join("typescript", libraryOf("typescript")), sources.library]]));
  return new Map([...chosen.values()].flatMap((links) => [...links]));
}

/** The folder of all backends for a server: the package's own, those of the installation, and the user's, made of links. */
export function backendFolder(installation: Installation, users: readonly string[]): string {
  const builtIn = path.join(packageRoot, "backends");
  const installed = installation.backendDirectory;
  return makeBackendFolder(planBackends({ library: backendLibrary, builtIn, installed, users }));
}

/** A cache may have been filled by another user. */
function readable(folder: string): string {
  try {
    readdirSync(folder);
    return folder;
  } catch (error) {
    throw new ServerError(
      "CACHE",
      `The folder ${folder} cannot be read by this user (${messageOf(error)}). Delete it, or set XDG_CACHE_HOME to another folder.`,
    );
  }
}

/** Makes the folder of links in the cache, unless it is there already, and gives its path. */
export function makeBackendFolder(links: Links): string {
  const digest = createHash("sha256")
    .update(JSON.stringify([...links]))
    .digest("hex")
    .slice(0, 16);
  const folder = path.join(cacheFolder(), "backends", digest);
  if (existsSync(folder)) return readable(folder);
  const work = temporaryFolder("backends");
  for (const [place, target] of links) {
    const link = path.join(work, place);
    mkdirSync(path.dirname(link), { recursive: true });
    symlinkSync(target, link);
  }
  // Temporary folders are their owner's alone; what is published is for every user of the cache.
  chmodSync(work, 0o755);
  mkdirSync(path.dirname(folder), { recursive: true });
  try {
    renameSync(work, folder);
  } catch (error) {
    rmSync(work, { recursive: true, force: true });
    if (codeOf(error) !== "ENOTEMPTY" && codeOf(error) !== "EEXIST") throw error;
  }
  return folder;
}
