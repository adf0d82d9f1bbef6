// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import module, { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { TritonError } from "../api/errors.ts";
import type { TritonModelClass } from "../api/triton_model.ts";
import { compileAhead } from "./compile_ahead.ts";
import { findModelFile, findTsconfig } from "./model_file.ts";
import { classifyFailure, importError, syntaxError } from "./model_load_error.ts";
import { installResolver, type ModelResolver } from "./model_resolver.ts";

export interface LoadModelOptions {
  /** The folder with the model's file: the version folder, or that of a TypeScript-based backend. */
  readonly versionDir: string;
  /** The model's own folder, with its `config.pbtxt`. */
  readonly modelDir: string;
  /** The model repository. */
  readonly repositoryDir: string;
  /** The backend's folder. */
  readonly backendDir: string;
  /** The configuration's `default_model_filename`; empty counts as left out. */
  readonly filename?: string | undefined;
  /** The parameter LOADER: `tsx`, or the module specifier of loader hooks such as `ts-node/esm`. */
  readonly loader?: string | undefined;
  /** Whether LOADER may name code that lies anywhere. */
  readonly anyLoader?: boolean | undefined;
  /** The parameter TYPE_CHECK. */
  readonly typeCheck?: boolean | undefined;
  /** Load what links lead to, under its own name: for a backend, whose folder may be nothing but links. */
  readonly resolvesLinks?: boolean | undefined;
  /** The public API's entry file in the install, as a file URL. */
  readonly apiUrl: string;
  /** Where compiled code is kept from one start to the next; never a folder of a model. */
  readonly compileCacheDir?: string | undefined;
}

export interface LoadedModel {
  readonly ModelClass: TritonModelClass;
  /** The model's file. */
  readonly file: string;
  /** The class's `static autoCompleteConfig`, bound to it, when it has one. */
  readonly autoCompleteConfig?: NonNullable<TritonModelClass["autoCompleteConfig"]>;
}

/** The root of the package that holds `file`: the nearest folder above it with a `package.json`. */
function packageRoot(file: string): string {
  for (let at = dirname(file); ; at = dirname(at)) {
    if (existsSync(join(at, "package.json")) || at === dirname(at)) return at;
  }
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

/**
 * Who may change a configuration only, must not choose code by it: LOADER names a package, or a file of the model.
 *
 * @throws TritonError INVALID_ARG for a URL or for a path that leads elsewhere
 */
function checkLoader(loader: string): void {
  const parts = loader.replace(/^\.\//, "").split("/");
  if (parts.every((part) => /^[\w@~+-][\w.~+-]*$/.test(part))) return;
  throw new TritonError(
    `The model parameter 'LOADER' must be the name of a package, or './' and the path of a file in the model's folder, ` +
      `but is '${loader}'. Start the server with --backend-config=typescript,allow-node-path=true to allow code from elsewhere.`,
    "INVALID_ARG",
  );
}

/** Registers the loader hooks that the parameter LOADER names, from the model's own `node_modules`. */
async function registerLoader(loader: string, lookupFolders: readonly string[]): Promise<void> {
  let reason: unknown;
  for (const folder of lookupFolders) {
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
    `LOADER '${loader}' was not found from ${lookupFolders.map((folder) => `'${folder}'`).join(", ")}. ` +
      "Install it in the node_modules of the model or of its repository, or leave LOADER out.",
    "NOT_FOUND",
    { cause: reason },
  );
}

type Namespace = Record<string, unknown>;

async function importModel(file: string): Promise<Namespace> {
  return (await import(pathToFileURL(file).href)) as Namespace;
}

/** Imports by Node's type stripping, and by tsx when the model's files need more. */
async function importStripped(
  file: string,
  resolver: ModelResolver,
  lookupFolders: readonly string[],
): Promise<Namespace> {
  let first: unknown;
  try {
    return await importModel(file);
  } catch (error) {
    first = error;
  }
  const tsconfig = findTsconfig(dirname(file));
  const failure = classifyFailure(first, [file, ...resolver.files], tsconfig);
  if (failure.kind === "syntax") throw syntaxError(first, failure.location, file);
  if (failure.kind === "other") throw importError(first, file, [file, ...resolver.files]);
  await registerTsx(lookupFolders, tsconfig);
  resolver.moveToFront(failure.linking);
  return importCompiled(file, resolver, first);
}

/** Imports through hooks that compile, after Node's own import failed with `first`, if it was tried. */
async function importCompiled(file: string, resolver: ModelResolver, first?: unknown): Promise<Namespace> {
  try {
    return await importModel(file);
  } catch (error) {
    const failure = classifyFailure(error, [file, ...resolver.files], undefined);
    if (failure.kind === "syntax") throw syntaxError(error, failure.location, file);
    const { name } = (error ?? {}) as Error;
    if (failure.kind === "needs-compiler" || name === "TransformError") {
      throw syntaxError(error, undefined, file, first);
    }
    throw importError(error, file, [file, ...resolver.files]);
  }
}

function describe(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function isClass(value: unknown): value is TritonModelClass {
  if (typeof value !== "function") return false;
  const prototype = Object.getOwnPropertyDescriptor(value, "prototype");
  // The prototype of a class is not writable; that of a plain function is, and compiled code may have no other classes.
  return prototype !== undefined && (prototype.writable === false || typeof value.prototype?.execute === "function");
}

/**
 * Picks the model's class out of what its file exports.
 *
 * @throws TritonError INVALID_ARG when there is none, or it is not a class, or has no method `execute`
 */
export function pickModelClass(exported: Namespace, file: string): TritonModelClass {
  // A CommonJS file's exports come as the default export.
  const common = exported.default as Namespace | undefined;
  const inner = common !== null && typeof common === "object" ? common : undefined;
  const name = exported.TritonModel !== undefined || inner?.TritonModel !== undefined ? "TritonModel" : "default";
  const candidates = [exported.default, exported.TritonModel, inner?.TritonModel, inner?.default];
  const found = candidates.find(isClass) ?? candidates.find((value) => value !== undefined && value !== inner);
  if (found === undefined && typeof inner?.execute === "function") {
    throw new TritonError(
      `The default export of the model file '${file}' must be a class, but is ${describe(inner)}.`,
      "INVALID_ARG",
    );
  }
  if (found === undefined) {
    const names = Object.keys(inner === undefined ? exported : { ...exported, ...inner })
      .filter((key) => key !== "__esModule" && key !== "module.exports")
      .map((key) => `'${key}'`);
    throw new TritonError(
      `The model file '${file}' must export its class as default or under the name 'TritonModel', ` +
        `but it exports ${names.length === 0 ? "nothing" : names.join(", ")}.`,
      "INVALID_ARG",
    );
  }
  if (!isClass(found)) {
    throw new TritonError(
      `The export '${name}' of the model file '${file}' must be a class, but is ${describe(found)}.`,
      "INVALID_ARG",
    );
  }
  if (typeof found.prototype.execute !== "function") {
    throw new TritonError(
      `The class '${found.name || name}' of the model file '${file}' has no method 'execute'. ` +
        "Add execute(requests), which returns one InferenceResponse for each request.",
      "INVALID_ARG",
    );
  }
  if (found.autoCompleteConfig !== undefined && typeof found.autoCompleteConfig !== "function") {
    throw new TritonError(
      `'autoCompleteConfig' of the class '${found.name || name}' of the model file '${file}' must be a static method, ` +
        `but is ${describe(found.autoCompleteConfig)}.`,
      "INVALID_ARG",
    );
  }
  if (found.outputShapes !== undefined && found.outputShapes !== "configured" && found.outputShapes !== "open") {
    throw new TritonError(
      `'outputShapes' of the class '${found.name || name}' of the model file '${file}' must be 'configured' or 'open', ` +
        `but is ${describe(found.outputShapes)}.`,
      "INVALID_ARG",
    );
  }
  return found;
}

/**
 * Loads a model's class. Nothing is written into the model's folder.
 *
 * The file is read by Node's own type stripping. When it, or a file that it imports, needs more than that (enums,
 * decorators, imports without extension, path aliases), tsx compiles it.
 *
 * @throws TritonError that says what is wrong with the model: the file is missing, has a syntax or type error (with file,
 *   line and column), throws while it is loaded, or does not export a class with a method `execute`
 */
export async function loadModel(options: LoadModelOptions): Promise<LoadedModel> {
  const { versionDir, modelDir, repositoryDir, backendDir, apiUrl, loader } = options;
  if (loader && options.anyLoader !== true) checkLoader(loader);
  const file = findModelFile(versionDir, options.filename);
  const install = packageRoot(fileURLToPath(apiUrl));
  const modelFolders = [...new Set([versionDir, modelDir, repositoryDir, backendDir])];
  const lookupFolders = [...new Set([...modelFolders, install])];
  if (options.compileCacheDir !== undefined) module.enableCompileCache(options.compileCacheDir);
  if (options.typeCheck === true) {
    const { checkTypes } = await import("./type_check.ts");
    await checkTypes({ file, apiUrl, lookupFolders });
  }

  const ownFolder = options.resolvesLinks === true ? undefined : modelDir;
  const resolution = { apiUrl, file, modelFolders, lookupFolders, ownFolder };
  const byNode = loader === undefined || loader === "";
  if (byNode && options.compileCacheDir !== undefined) {
    await compileAhead({ ...resolution, compileCacheDir: options.compileCacheDir });
  }
  const resolver = installResolver(resolution);
  let exported: Namespace;
  if (byNode) {
    exported = await importStripped(file, resolver, lookupFolders);
  } else {
    const tsconfig = findTsconfig(dirname(file));
    // ts-node looks for its settings and for the compiler in the working directory, which is the server's.
    process.env.TS_NODE_CWD ??= dirname(file);
    if (tsconfig !== undefined) process.env.TS_NODE_PROJECT ??= tsconfig;
    if (loader === "tsx") await registerTsx(lookupFolders, tsconfig);
    else await registerLoader(loader, loader.startsWith("./") ? [versionDir, modelDir] : lookupFolders);
    resolver.moveToFront();
    exported = await importCompiled(file, resolver);
  }
  const ModelClass = pickModelClass(exported, file);
  const autoCompleteConfig = ModelClass.autoCompleteConfig?.bind(ModelClass);
  return autoCompleteConfig === undefined ? { ModelClass, file } : { ModelClass, file, autoCompleteConfig };
}
