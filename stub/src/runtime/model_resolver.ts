// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import {
  createRequire,
  type LoadFnOutput,
  type LoadHookContext,
  type ModuleHooks,
  type ResolveFnOutput,
  type ResolveHookContext,
  registerHooks,
} from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { behindLinks, OwnNames, resolvedName } from "./own_names.ts";
import { stripTypes } from "./strip_types.ts";

/** The name under which a model imports the public API. */
export const API_PACKAGE = "triton-typescript";

export interface ResolverOptions {
  /** Where the public API lies, as a file URL. */
  readonly apiUrl: string;
  /** The model's file. */
  readonly file: string;
  /** The folders of the model: what lies in them is its own code, also when they lie in some `node_modules`. */
  readonly modelFolders: readonly string[];
  /** Folders from which a package is looked up, in this order, when it is not found from the importing file itself. */
  readonly lookupFolders: readonly string[];
  /** The folder in which files that are links keep their names. Left out: what they lead to is loaded, as by Node. */
  readonly ownFolder?: string | undefined;
}

export interface ModelResolver {
  /** The model's own TypeScript and JavaScript files that were resolved so far, as paths, in order. */
  readonly files: ReadonlySet<string>;
  /**
   * Puts the hooks in front of those of a compiler that was registered meanwhile, and leaves loading to it.
   *
   * @param reload read the model's TypeScript again: Node keeps a module that it compiled, even when it could not link it
   */
  moveToFront(reload?: boolean): void;
  /** Takes the hooks away. */
  remove(): void;
}

type NextLoad = (url: string, context?: Partial<LoadHookContext>) => LoadFnOutput;
type NextResolve = (specifier: string, context?: Partial<ResolveHookContext>) => ResolveFnOutput;

const NOT_FOUND_CODES = new Set(["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND", "ERR_PACKAGE_IMPORT_NOT_DEFINED"]);

function isNotFound(error: unknown): boolean {
  return NOT_FOUND_CODES.has((error as NodeJS.ErrnoException).code ?? "");
}

function isBare(specifier: string): boolean {
  return !/^(?:\.{0,2}\/|\.{1,2}$|#|[a-z][a-z+.-]*:)/i.test(specifier);
}

/** Whether a file reads as an ES module, whatever the nearest package.json says. */
function readsAsEsModule(path: string): boolean {
  try {
    return /^\s*(?:export\b|import\b(?!\s*[(.]))/m.test(readFileSync(path, "utf8"));
  } catch {
    // What is wrong with the file is said when it is loaded.
    return false;
  }
}

const PACKAGES = "/node_modules/";

/** Tells the files of packages from the model's own, which may lie inside of a package that brings models along. */
export function packageTest(file: string, modelFolders: readonly string[]): (url: string) => boolean {
  const realpath = (path: string) => resolvedName(path) ?? path;
  const folders = [...modelFolders, ...modelFolders.map(realpath), dirname(realpath(file))];
  const prefixes = [...new Set(folders)].map((folder) => `${pathToFileURL(folder).href}/`);
  return (url) =>
    url.includes(PACKAGES) &&
    !prefixes.some((prefix) => url.startsWith(prefix) && !url.slice(prefix.length - 1).includes(PACKAGES));
}

/** Looks up from other folders what is not found from the importing file. */
class PackageLookup {
  readonly #files: readonly string[];
  #busy = false;

  constructor(folders: readonly string[]) {
    this.#files = folders.map((folder) => join(folder, "noop.js"));
  }

  /** Whether it is asking Node right now: the hooks must not answer that themselves. */
  get busy(): boolean {
    return this.#busy;
  }

  /**
   * Throws `missing` when no folder has it.
   *
   * @param linked the file that the importing one is a link to: the first place to look
   */
  find(
    specifier: string,
    context: ResolveHookContext,
    next: NextResolve,
    missing: unknown,
    linked?: string,
  ): ResolveFnOutput {
    const files = isBare(specifier) ? this.#files : [];
    this.#busy = true;
    try {
      for (const file of linked === undefined ? files : [fileURLToPath(linked), ...files]) {
        try {
          if (!context.conditions.includes("require")) {
            return next(specifier, { ...context, parentURL: pathToFileURL(file).href });
          }
          // Node looks a required package up from the requiring module, whatever the context says.
          const path = createRequire(file).resolve(specifier);
          return { url: pathToFileURL(path).href, shortCircuit: true };
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
      }
    } finally {
      this.#busy = false;
    }
    throw missing;
  }
}

/** The format of a file that is an ES module, though a package.json says otherwise or nothing; undefined for others. */
function correctedFormat(path: string, format: string | undefined): string | undefined {
  const undecided = format === undefined || format === "commonjs" || format === "commonjs-typescript";
  if (!undecided || !/\.[jt]s$/.test(path) || !readsAsEsModule(path)) return undefined;
  return path.endsWith(".ts") && format !== "commonjs" ? "module-typescript" : "module";
}

class ModelHooks implements ModelResolver {
  readonly files = new Set<string>();
  readonly #apiUrl: string;
  readonly #entryUrl: string;
  readonly #inPackage: (url: string) => boolean;
  readonly #lookup: PackageLookup;
  readonly #names: OwnNames | undefined;
  #hooks: ModuleHooks;
  /** A compiler was registered behind these hooks. */
  #compiled = false;
  /** What makes the URLs of the model's files others than before. */
  #query = "";

  constructor({ apiUrl, file, modelFolders, lookupFolders, ownFolder }: ResolverOptions) {
    this.#apiUrl = apiUrl;
    this.#entryUrl = pathToFileURL(file).href;
    this.#inPackage = packageTest(file, modelFolders);
    this.#lookup = new PackageLookup(lookupFolders);
    this.#names = ownFolder === undefined ? undefined : new OwnNames(ownFolder);
    this.#hooks = this.#register();
  }

  moveToFront(reload = false): void {
    if (reload) this.#query = "?compiled";
    this.#compiled = true;
    this.#hooks.deregister();
    this.#hooks = this.#register();
  }

  remove(): void {
    this.#hooks.deregister();
  }

  #register(): ModuleHooks {
    return registerHooks({
      resolve: (specifier, context, next) => this.#resolve(specifier, context, next),
      load: (url, context, next) => this.#load(url, context, next),
    });
  }

  #resolve(specifier: string, context: ResolveHookContext, next: NextResolve): ResolveFnOutput {
    if (this.#lookup.busy) return next(specifier, context);
    if (specifier === API_PACKAGE) {
      const format = this.#apiUrl.endsWith(".ts") ? "module-typescript" : "module";
      return { url: this.#apiUrl, format, shortCircuit: true };
    }
    const parent = context.parentURL;
    // The model's file is imported by the runtime, which may itself be a package.
    const own = specifier === this.#entryUrl || (parent !== undefined && !this.#inPackage(parent));
    if (!own) return next(specifier, context);
    try {
      return this.#noteFile(this.#named(specifier, context, next(specifier, context)), context);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      // What is not beside a link may be beside the file that it leads to.
      const found = this.#lookup.find(specifier, context, next, error, behindLinks(parent));
      return isBare(specifier) ? found : this.#noteFile(found, context);
    }
  }

  #named(specifier: string, context: ResolveHookContext, found: ResolveFnOutput): ResolveFnOutput {
    if (this.#names === undefined || !found.url.startsWith("file:")) return found;
    // Packages are taken where they lie. What the model's own files lead to may lie in a package, too, beside the model.
    if (isBare(specifier) && this.#inPackage(found.url)) return found;
    const url = this.#names.of(specifier, context, found.url);
    // Node tells the format by the ending, and by the package.json above.
    return url === found.url || this.#inPackage(url) ? found : { ...found, url, format: undefined };
  }

  #noteFile(found: ResolveFnOutput, context: ResolveHookContext): ResolveFnOutput {
    if (!found.url.startsWith("file:") || this.#inPackage(found.url)) return found;
    const path = fileURLToPath(found.url);
    if (!/\.[cm]?[jt]sx?$/.test(path)) return found;
    this.files.add(path);
    const reload = this.#query !== "" && /ts$/.test(path) && !context.conditions.includes("require");
    const url = reload ? found.url.replace(/\?.*|$/, this.#query) : found.url;
    const format = correctedFormat(path, found.format ?? undefined);
    return format === undefined ? { ...found, url } : { ...found, url, format, shortCircuit: true };
  }

  #load(url: string, context: LoadHookContext, next: NextLoad): LoadFnOutput {
    // Node refuses to strip types below node_modules; a compiler that was registered does not.
    const refused = !this.#compiled && url.startsWith("file:") && url.includes(PACKAGES) && !this.#inPackage(url);
    if (!refused || context.format?.startsWith("commonjs")) return next(url, context);
    const path = fileURLToPath(url);
    if (!/\.m?ts$/.test(path)) return next(url, context);
    return { format: "module", source: stripTypes(path), shortCircuit: true };
  }
}

/**
 * Makes the imports of a model work wherever its repository lies:
 *
 * - `triton-typescript` is the API of this runtime, by import and by require;
 * - a package that the model's own `node_modules` lack is looked up from other folders, which end with the install's;
 * - a `.ts` or `.js` file of the model that is written as an ES module is one, also beside a package.json that says
 *   otherwise or nothing: a model repository often lies inside some other project;
 * - the model's own files are loaded under the names that they have in its folder, also when they are links;
 * - the types of the model's ES modules are stripped also where Node refuses to, in a package that brings models along.
 *
 * Packages themselves are left alone: what they find or miss in their own `node_modules` is theirs.
 */
export function installResolver(options: ResolverOptions): ModelResolver {
  return new ModelHooks(options);
}
