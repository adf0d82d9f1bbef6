// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import module, { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { TritonError } from "../api/errors.ts";
import { log } from "./logging.ts";
import { classifyFailure, encodingError, importError, type LoadFailure, syntaxError } from "./model_load_error.ts";
import { installResolver, type ModelResolver, type ResolverOptions } from "./model_resolver.ts";
import { type CompilerOptions, compilerOptions, findTsconfig } from "./tsconfig.ts";

/** What a module exports, by name. */
export type Namespace = Record<string, unknown>;

/** How the files of a model are imported: the same in each thread of its process. */
export interface ImportPlan extends ResolverOptions {
  /** The parameter LOADER, or `tsx` once the model was found to need it; empty or left out: type stripping. */
  readonly loader?: string | undefined;
  /** Folders from which LOADER is looked up. */
  readonly loaderFolders: readonly string[];
}

/**
 * Runs `body` while Node keeps quiet about functions that are deprecated: loaders use them, and the users of a model can
 * do nothing about it.
 */
async function withoutDeprecations<T>(body: () => T | Promise<T>): Promise<T> {
  const before = process.noDeprecation;
  process.noDeprecation = true;
  try {
    return await body();
  } finally {
    process.noDeprecation = before ?? false;
  }
}

function resolveFrom(folders: readonly string[], specifier: string): string | undefined {
  for (const folder of folders) {
    try {
      return createRequire(join(folder, "noop.js")).resolve(specifier);
    } catch {
      // Not there, or only for imports: the next folder.
    }
  }
  return undefined;
}

/** Registers tsx, which compiles what type stripping cannot read; it comes with the install. */
async function registerTsx(lookupFolders: readonly string[], tsconfig: string | undefined): Promise<void> {
  const found = resolveFrom(lookupFolders, "tsx/esm/api");
  if (found === undefined) {
    throw new TritonError("The package 'tsx' is not installed. Install triton-typescript again.", "UNAVAILABLE");
  }
  const tsx = (await import(pathToFileURL(found).href)) as {
    register(options: { tsconfig?: string | false }): unknown;
  };
  await withoutDeprecations(() => tsx.register({ tsconfig: tsconfig ?? false }));
}

/** Registers the loader hooks that the parameter LOADER names, from the model's own `node_modules`. */
async function registerLoader(loader: string, folders: readonly string[]): Promise<void> {
  let reason: unknown;
  for (const folder of folders) {
    const parent = pathToFileURL(join(folder, "noop.js")).href;
    try {
      await withoutDeprecations(() => module.register(loader, parent));
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") {
        throw new TritonError(`LOADER '${loader}' failed to start: ${(error as Error).message}`, "INTERNAL", {
          cause: error,
        });
      }
      reason ??= error;
    }
  }
  throw new TritonError(
    `LOADER '${loader}' was not found from ${folders.map((folder) => `'${folder}'`).join(", ")}. ` +
      "Install it in the node_modules of the model or of its repository, or leave LOADER out.",
    "NOT_FOUND",
    { cause: reason },
  );
}

/** Whether a file seems to have decorators: an `@` before a name, not in a line of a comment. */
function hasDecorators(file: string): boolean {
  try {
    return /^(?!\s*(?:\*|\/[*/]))(?:.*[\s{;(])?@[A-Za-z_$]/m.test(readFileSync(file, "utf8"));
  } catch {
    return false;
  }
}

/**
 * Imports files of a model by Node's own type stripping, or by a compiler: the one that LOADER names, or tsx when a file,
 * or one that it imports, needs more than that (enums, decorators, imports without extension, path aliases).
 */
export class ModelImporter {
  readonly #plan: ImportPlan;
  readonly #onCompiler: (plan: ImportPlan) => void;
  readonly #resolver: ModelResolver;
  readonly #tsconfig: string | undefined;

  /** @param onCompiler is told when tsx turns out to be needed, before the model's code runs */
  constructor(plan: ImportPlan, onCompiler: (plan: ImportPlan) => void = () => {}) {
    this.#plan = plan;
    this.#onCompiler = onCompiler;
    this.#tsconfig = findTsconfig(dirname(plan.file));
    this.#resolver = installResolver(plan);
  }

  /** Registers what LOADER names, if it names something. */
  async start(): Promise<void> {
    const { loader, loaderFolders, file, lookupFolders } = this.#plan;
    if (loader === undefined || loader === "") return;
    // ts-node looks for its settings and for the compiler in the working directory, which is the server's.
    process.env.TS_NODE_CWD ??= dirname(file);
    if (this.#tsconfig !== undefined) process.env.TS_NODE_PROJECT ??= this.#tsconfig;
    if (loader === "tsx") await registerTsx(lookupFolders, this.#tsconfig);
    else await registerLoader(loader, loaderFolders);
    this.#resolver.moveToFront();
  }

  /**
   * Imports the plan's file, after `start`.
   *
   * @throws TritonError that says what is wrong with the model: a syntax error or an import that cannot be resolved (with
   *   file, line and column), or what it threw while it was loaded
   */
  async import(): Promise<Namespace> {
    const { loader } = this.#plan;
    if (loader === undefined || loader === "") return this.#importStripped();
    const exported = await this.#importCompiled();
    if (loader === "tsx") this.#warnOfMetadata(await compilerOptions(this.#tsconfig));
    return exported;
  }

  /** The model's own files that were reached so far. */
  get #files(): string[] {
    return [this.#plan.file, ...this.#resolver.files];
  }

  async #importFile(): Promise<Namespace> {
    return (await import(pathToFileURL(this.#plan.file).href)) as Namespace;
  }

  async #importStripped(): Promise<Namespace> {
    let first: unknown;
    try {
      return await this.#importFile();
    } catch (error) {
      first = error;
    }
    const options = await compilerOptions(this.#tsconfig);
    const failure = classifyFailure(first, this.#files, options);
    if (failure.kind !== "needs-compiler") throw this.#error(failure, first);
    await registerTsx(this.#plan.lookupFolders, this.#tsconfig);
    this.#resolver.moveToFront(failure.linking);
    this.#onCompiler({ ...this.#plan, loader: "tsx" });
    const exported = await this.#importCompiled(first);
    this.#warnOfMetadata(options);
    return exported;
  }

  /** Imports through hooks that compile, after Node's own import failed with `first`, if it was tried. */
  async #importCompiled(first?: unknown): Promise<Namespace> {
    try {
      return await this.#importFile();
    } catch (error) {
      const failure = classifyFailure(error, this.#files, {});
      const isSyntax = failure.kind === "needs-compiler" || (error as Error | undefined)?.name === "TransformError";
      throw isSyntax ? syntaxError(error, undefined, this.#plan.file, first) : this.#error(failure, error);
    }
  }

  #error(failure: LoadFailure, error: unknown): TritonError {
    if (failure.kind === "encoding") return encodingError(failure.file);
    if (failure.kind === "syntax") return syntaxError(error, failure.location, this.#plan.file);
    return importError(error, this.#plan.file, this.#files);
  }

  #warnOfMetadata(options: CompilerOptions): void {
    if (options.emitDecoratorMetadata !== true || !this.#files.some(hasDecorators)) return;
    log(
      "W",
      `'${this.#tsconfig}' asks for emitDecoratorMetadata, but tsx, which compiled this model, makes no metadata of types: ` +
        'Reflect.getMetadata("design:type", ...) gives undefined. Set LOADER to a compiler that makes it; the model guide ' +
        'says which, under "How TypeScript is loaded".',
    );
  }
}
