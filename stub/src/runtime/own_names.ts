// SPDX-License-Identifier: Apache-2.0
// Node loads a file under its resolved name. A model's files may be links into stores that name files by digest, or to
// several folders: resolved, they have lost their endings and their neighbours. So the model's own files keep the names
// that the server knows.
import { type Dirent, opendirSync, realpathSync } from "node:fs";
import module, { type ResolveHookContext } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { log } from "./logging.ts";

/** What a specifier without an ending, or with that of compiled code, may stand for. */
const ENDINGS = ["", ".js", ".json", ".node", ".ts", ".mts", ".cts", ".tsx", "/index.js", "/index.json", "/index.ts"];

/** The resolved name, or undefined where there is none, as behind /proc/PID/root. */
export function resolvedName(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function candidates(base: string): string[] {
  const asTypescript = /\.[cm]?jsx?$/.test(base) ? [base.replace(/\.([cm]?)js(x?)$/, ".$1ts$2")] : [];
  return [base, ...asTypescript, ...ENDINGS.slice(1).map((ending) => base + ending)];
}

/** Where a relative specifier, or a full one, points at from a file, links not resolved; undefined for others. */
function target(specifier: string, { parentURL, conditions }: ResolveHookContext): string | undefined {
  if (!/^(?:file:|\.{0,2}\/|\.{1,2}$)/.test(specifier)) return undefined;
  // What is required is a path, what is imported is a URL.
  const required = conditions.includes("require") && !specifier.startsWith("file:");
  try {
    if (!required) return fileURLToPath(new URL(specifier, parentURL));
    return resolve(parentURL === undefined ? "/" : dirname(fileURLToPath(parentURL)), specifier);
  } catch {
    return undefined;
  }
}

/** A model's folder is looked through for links when an alias leads to one; no further than so many entries. */
const MAX_ENTRIES = 10_000;

/** A folder that is being read, one entry after the other. */
interface OpenFolder {
  readSync(): Pick<Dirent, "name" | "isDirectory" | "isSymbolicLink"> | null;
  closeSync(): void;
}

/** The entries of a folder; none of one that cannot be read. */
function* entriesOf(folder: string, open: (folder: string) => OpenFolder) {
  let opened: OpenFolder | undefined;
  try {
    opened = open(folder);
    for (let entry = opened.readSync(); entry !== null; entry = opened.readSync()) yield entry;
  } catch {
    // No import can lead through a folder that cannot be read.
  } finally {
    opened?.closeSync();
  }
}

/**
 * What is a link below a folder: from what it leads to, to its name. Folders that cannot be read are left out.
 *
 * @param open opens a folder; another one for tests
 */
export function linksUnder(top: string, open: (folder: string) => OpenFolder = opendirSync): Map<string, string> {
  const links = new Map<string, string>();
  const waiting = [top];
  let entries = 0;
  for (let folder = waiting.shift(); folder !== undefined; folder = waiting.shift()) {
    for (const entry of entriesOf(folder, open)) {
      if (++entries > MAX_ENTRIES) {
        log("W", tooMany(top));
        return links;
      }
      const path = join(folder, entry.name);
      if (entry.isDirectory() && entry.name !== "node_modules") waiting.push(path);
      const resolved = entry.isSymbolicLink() ? resolvedName(path) : undefined;
      if (resolved !== undefined && !links.has(resolved)) links.set(resolved, path);
    }
  }
  return links;
}

const tooMany = (folder: string) =>
  `The model's folder '${folder}' has more than ${MAX_ENTRIES} entries; no more of them were looked through for links. A file ` +
  "that is a link and is imported by an alias, of package.json or tsconfig.json, may be loaded under the name that it leads to: " +
  "import it by a relative path, or keep data out of the model's folder.";

type ResolveFilename = (this: unknown, request: string, parent?: unknown, ...rest: unknown[]) => string;

/** Node's own function for what is required; many tools put theirs in its place. */
const commonJs = module as unknown as { _resolveFilename: ResolveFilename };

/** The names that a model's files have for the server. */
export class OwnNames {
  readonly #folder: string;
  #links: Map<string, string> | undefined;
  /** Links that were resolved, by their names; undefined before the first one. */
  #named: Set<string> | undefined;

  /** @param folder the model's */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The URL under which a file is loaded that Node resolved to `found`; `found` itself when it has no other name. */
  of(specifier: string, context: ResolveHookContext, found: string): string {
    const path = fileURLToPath(found);
    const base = target(specifier, context);
    const name = base === undefined ? this.#linkTo(path) : nameOf(base, path);
    if (name === undefined || name === path) return found;
    this.#note(name);
    const url = pathToFileURL(name);
    url.search = new URL(found).search;
    return url.href;
  }

  /** Node resolves a CommonJS file that is imported once more, and asks no hook for it. */
  #note(name: string): void {
    if (this.#named === undefined) {
      const named = new Set<string>();
      const resolveFilename = commonJs._resolveFilename;
      commonJs._resolveFilename = function (request, parent, ...rest) {
        return !parent && named.has(request) ? request : resolveFilename.call(this, request, parent, ...rest);
      };
      this.#named = named;
    }
    this.#named.add(name);
  }

  /** The link to a file that was found by an alias, of package.json or tsconfig.json. */
  #linkTo(path: string): string | undefined {
    if (path.startsWith(`${this.#folder}/`)) return undefined;
    const inside = relative(resolvedName(this.#folder) ?? this.#folder, path);
    if (!inside.startsWith("../")) return join(this.#folder, inside);
    this.#links ??= linksUnder(this.#folder);
    return this.#links.get(path);
  }
}

function nameOf(base: string, found: string): string | undefined {
  return candidates(base).find((path) => path === found || resolvedName(path) === found);
}

/** The URL of the file that a link leads to; undefined for what is no link, nor behind one. */
export function behindLinks(url: string | undefined): string | undefined {
  if (url === undefined || !url.startsWith("file:")) return undefined;
  const path = fileURLToPath(url);
  const resolved = resolvedName(path);
  return resolved === undefined || resolved === path ? undefined : pathToFileURL(resolved).href;
}
