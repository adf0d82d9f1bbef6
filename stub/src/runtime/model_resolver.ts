// SPDX-License-Identifier: Apache-2.0
import { readFileSync, realpathSync } from "node:fs";
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

const NOT_FOUND_CODES = new Set(["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"]);

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

function realpath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Tells the files of packages from the model's own, which may lie inside of a package that brings models along. */
function packageTest(file: string, modelFolders: readonly string[]): (url: string) => boolean {
  const folders = [...modelFolders, ...modelFolders.map(realpath), dirname(realpath(file))];
  const prefixes = [...new Set(folders)].map((folder) => `${pathToFileURL(folder).href}/`);
  return (url) =>
    url.includes(PACKAGES) &&
    !prefixes.some((prefix) => url.startsWith(prefix) && !url.slice(prefix.length - 1).includes(PACKAGES));
}

/**
 * Makes the imports of a model work wherever its repository lies:
 *
 * - `triton-typescript` is the API of this runtime, by import and by require;
 * - a package that the model's own `node_modules` lack is looked up from other folders, which end with the install's;
 * - a `.ts` or `.js` file of the model that is written as an ES module is one, also beside a package.json that says
 *   otherwise or nothing: a model repository often lies inside some other project;
 * - the types of the model's ES modules are stripped also where Node refuses to, in a package that brings models along.
 *
 * Packages themselves are left alone: what they find or miss in their own `node_modules` is theirs.
 */
export function installResolver({ apiUrl, file, modelFolders, lookupFolders }: ResolverOptions): ModelResolver {
  const entryUrl = pathToFileURL(file).href;
  const inPackage = packageTest(file, modelFolders);
  const files = new Set<string>();
  const lookupFiles = lookupFolders.map((folder) => join(folder, "noop.js"));
  let lookingUp = false;
  let compiled = false;
  let query = "";

  function lookUp(
    specifier: string,
    context: ResolveHookContext,
    next: NextResolve,
    missing: unknown,
  ): ResolveFnOutput {
    lookingUp = true;
    try {
      for (const file of lookupFiles) {
        try {
          if (!context.conditions.includes("require")) {
            return next(specifier, { ...context, parentURL: pathToFileURL(file).href });
          }
          // Node looks a required package up from the requiring module, whatever the context says.
          const path = createRequire(file).resolve(specifier);
          return { url: pathToFileURL(path).href, shortCircuit: true };
        } catch (error) {
          if (!NOT_FOUND_CODES.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
        }
      }
    } finally {
      lookingUp = false;
    }
    throw missing;
  }

  function noteFile(found: ResolveFnOutput, context: ResolveHookContext): ResolveFnOutput {
    if (!found.url.startsWith("file:") || inPackage(found.url)) return found;
    const path = fileURLToPath(found.url);
    if (!/\.[cm]?[jt]sx?$/.test(path)) return found;
    files.add(path);
    const reload = query !== "" && /ts$/.test(path) && !context.conditions.includes("require");
    const url = reload ? found.url.replace(/\?.*|$/, query) : found.url;
    const format = found.format ?? undefined;
    const undecided = format === undefined || format === "commonjs" || format === "commonjs-typescript";
    if (!undecided || !/\.[jt]s$/.test(path) || !readsAsEsModule(path)) return { ...found, url };
    const typescript = path.endsWith(".ts") && format !== "commonjs";
    return { ...found, url, format: typescript ? "module-typescript" : "module", shortCircuit: true };
  }

  function resolve(specifier: string, context: ResolveHookContext, next: NextResolve): ResolveFnOutput {
    if (lookingUp) return next(specifier, context);
    if (specifier === API_PACKAGE) {
      return { url: apiUrl, format: apiUrl.endsWith(".ts") ? "module-typescript" : "module", shortCircuit: true };
    }
    const parent = context.parentURL;
    // The model's file is imported by the runtime, which may itself be a package.
    const own = specifier === entryUrl || (parent !== undefined && !inPackage(parent));
    if (!own) return next(specifier, context);
    try {
      return noteFile(next(specifier, context), context);
    } catch (error) {
      const missing = NOT_FOUND_CODES.has((error as NodeJS.ErrnoException).code ?? "") && isBare(specifier);
      if (!missing) throw error;
      return lookUp(specifier, context, next, error);
    }
  }

  function load(url: string, context: LoadHookContext, next: NextLoad): LoadFnOutput {
    // Node refuses to strip types below node_modules; a compiler that was registered does not.
    const refused = !compiled && url.startsWith("file:") && url.includes(PACKAGES) && !inPackage(url);
    if (!refused || context.format?.startsWith("commonjs")) return next(url, context);
    const path = fileURLToPath(url);
    if (!/\.m?ts$/.test(path)) return next(url, context);
    return { format: "module", source: stripTypes(path), shortCircuit: true };
  }

  let hooks: ModuleHooks = registerHooks({ resolve, load });
  return {
    files,
    moveToFront(reload = false) {
      if (reload) query = "?compiled";
      compiled = true;
      hooks.deregister();
      hooks = registerHooks({ resolve, load });
    },
    remove() {
      hooks.deregister();
    },
  };
}
