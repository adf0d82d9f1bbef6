// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import {
  createRequire,
  type ModuleHooks,
  type ResolveFnOutput,
  type ResolveHookContext,
  registerHooks,
} from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The name under which a model imports the public API. */
export const API_PACKAGE = "triton-typescript";

export interface ResolverOptions {
  /** Where the public API lies, as a file URL. */
  readonly apiUrl: string;
  /** Folders from which a package is looked up, in this order, when it is not found from the importing file itself. */
  readonly lookupFolders: readonly string[];
}

export interface ModelResolver {
  /** The model's own TypeScript and JavaScript files that were resolved so far, as paths, in order. */
  readonly files: ReadonlySet<string>;
  /**
   * Puts the hooks in front of hooks that were registered meanwhile.
   *
   * @param reload read the model's TypeScript again: Node keeps a module that it compiled, even when it could not link it
   */
  moveToFront(reload?: boolean): void;
  /** Takes the hooks away. */
  remove(): void;
}

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

/**
 * Makes the imports of a model work wherever its repository lies:
 *
 * - `triton-typescript` is the API of this runtime, by import and by require;
 * - a package that the model's own `node_modules` lack is looked up from other folders, which end with the install's;
 * - a `.ts` or `.js` file of the model that is written as an ES module is one, also beside a package.json that says
 *   otherwise or nothing: a model repository often lies inside some other project.
 *
 * Packages themselves are left alone: what they find or miss in their own `node_modules` is theirs.
 */
export function installResolver({ apiUrl, lookupFolders }: ResolverOptions): ModelResolver {
  const files = new Set<string>();
  const lookupFiles = lookupFolders.map((folder) => join(folder, "noop.js"));
  let lookingUp = false;
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
    if (!found.url.startsWith("file:") || found.url.includes("/node_modules/")) return found;
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
    if (parent === undefined || parent.includes("/node_modules/")) return next(specifier, context);
    try {
      return noteFile(next(specifier, context), context);
    } catch (error) {
      const missing = NOT_FOUND_CODES.has((error as NodeJS.ErrnoException).code ?? "") && isBare(specifier);
      if (!missing) throw error;
      return lookUp(specifier, context, next, error);
    }
  }

  let hooks: ModuleHooks = registerHooks({ resolve });
  return {
    files,
    moveToFront(reload = false) {
      if (reload) query = "?compiled";
      hooks.deregister();
      hooks = registerHooks({ resolve });
    },
    remove() {
      hooks.deregister();
    },
  };
}
