// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import module from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { TritonError } from "../api/errors.ts";
import type { TritonModelClass } from "../api/triton_model.ts";
import { kindName } from "../api/value_words.ts";
import { compileAhead } from "./compile_ahead.ts";
import { log } from "./logging.ts";
import { methodsOf, misnamedMethods, resembles } from "./method_names.ts";
import { findModelFile } from "./model_file.ts";
import { type ImportPlan, ModelImporter, type Namespace } from "./model_import.ts";
import { shareWithThreads } from "./model_threads.ts";
import { checkTypes } from "./type_check.ts";

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

/** The methods by which something answers requests. */
function answers(value: unknown): ("execute" | "stream")[] {
  const found = value as Partial<Record<"execute" | "stream", unknown>> | undefined;
  return (["execute", "stream"] as const).filter((method) => typeof found?.[method] === "function");
}

/** What a class without `execute` and `stream` has instead. */
function describeMethods(prototype: object): string {
  const methods = methodsOf(prototype);
  if (methods.length === 0) return "It has no methods; a field that holds a function is none.";
  const names = methods.map((name) => {
    const meant = ["execute", "stream"].find((known) => resembles(name, known));
    return meant === undefined ? `'${name}'` : `'${name}' (is '${meant}' meant?)`;
  });
  return `It has ${names.join(", ")}.`;
}

function isClass(value: unknown): value is TritonModelClass {
  if (typeof value !== "function") return false;
  const prototype = Object.getOwnPropertyDescriptor(value, "prototype");
  // The prototype of a class is not writable; that of a plain function is, and compiled code may have no other classes.
  return prototype !== undefined && (prototype.writable === false || answers(value.prototype).length > 0);
}

/**
 * Picks the model's class out of what its file exports.
 *
 * @throws TritonError INVALID_ARG when there is none, or it is not a class, or does not have either a method `execute` or a method `stream`
 */
export function pickModelClass(exported: Namespace, file: string): TritonModelClass {
  // A CommonJS file's exports come as the default export.
  const common = exported.default as Namespace | undefined;
  const inner = common !== null && typeof common === "object" ? common : undefined;
  const name = exported.TritonModel !== undefined || inner?.TritonModel !== undefined ? "TritonModel" : "default";
  const candidates = [exported.default, exported.TritonModel, inner?.TritonModel, inner?.default];
  const found = candidates.find(isClass) ?? candidates.find((value) => value !== undefined && value !== inner);
  if (found === undefined && answers(inner).length > 0) {
    throw new TritonError(
      `The default export of the model file '${file}' must be a class, but is ${kindName(inner)}.`,
      "INVALID_ARG",
    );
  }
  if (found === undefined) {
    // A CommonJS file, as one without any import or export is taken for, has all its exports in the default one.
    const isCommon = inner !== undefined && "module.exports" in exported;
    const names = Object.keys({ ...exported, ...inner })
      .filter((key) => key !== "__esModule" && key !== "module.exports" && !(isCommon && key === "default"))
      .map((key) => `'${key}'`);
    throw new TritonError(
      `The model file '${file}' must export its class as default or under the name 'TritonModel', ` +
        `but it exports ${names.length === 0 ? "nothing" : names.join(", ")}.`,
      "INVALID_ARG",
    );
  }
  if (!isClass(found)) {
    throw new TritonError(
      `The export '${name}' of the model file '${file}' must be a class, but is ${kindName(found)}.`,
      "INVALID_ARG",
    );
  }
  const methods = answers(found.prototype);
  if (methods.length === 0) {
    throw new TritonError(
      `The class '${found.name || name}' of the model file '${file}' has no method 'execute' and no method 'stream'. ` +
        `${describeMethods(found.prototype)} ` +
        "Add execute(requests), which returns one InferenceResponse for each request, or *stream(request), which yields them.",
      "INVALID_ARG",
    );
  }
  if (methods.length === 2) {
    throw new TritonError(
      `The class '${found.name || name}' of the model file '${file}' has both a method 'execute' and a method 'stream'. ` +
        "A model has one of them: execute(requests) for batches, stream(request) for one request at a time.",
      "INVALID_ARG",
    );
  }
  if (found.autoCompleteConfig !== undefined && typeof found.autoCompleteConfig !== "function") {
    throw new TritonError(
      `'autoCompleteConfig' of the class '${found.name || name}' of the model file '${file}' must be a static method, ` +
        `but is ${kindName(found.autoCompleteConfig)}.`,
      "INVALID_ARG",
    );
  }
  if (found.outputShapes !== undefined && found.outputShapes !== "configured" && found.outputShapes !== "open") {
    throw new TritonError(
      `'outputShapes' of the class '${found.name || name}' of the model file '${file}' must be 'configured' or 'open', ` +
        `but is ${kindName(found.outputShapes)}.`,
      "INVALID_ARG",
    );
  }
  return found;
}

/**
 * Loads a model's class. Nothing is written into the model's folder.
 *
 * @throws TritonError that says what is wrong with the model: the file is missing, has a syntax or type error (with file,
 *   line and column), throws while it is loaded, or does not export a class with a method `execute` or `stream`
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
    await checkTypes({ file, apiUrl, lookupFolders });
  }

  const ownFolder = options.resolvesLinks === true ? undefined : modelDir;
  const resolution = { apiUrl, file, modelFolders, lookupFolders, ownFolder };
  const loaderFolders = loader?.startsWith("./") ? [versionDir, modelDir] : lookupFolders;
  const plan: ImportPlan = { ...resolution, loader, loaderFolders };
  const byNode = loader === undefined || loader === "";
  if (byNode && options.compileCacheDir !== undefined) {
    await compileAhead({ ...resolution, compileCacheDir: options.compileCacheDir });
  }
  const importer = new ModelImporter(plan, shareWithThreads);
  shareWithThreads(plan);
  await importer.start();
  const exported = await importer.import();
  const ModelClass = pickModelClass(exported, file);
  for (const sentence of misnamedMethods(ModelClass)) log("W", sentence);
  const autoCompleteConfig = ModelClass.autoCompleteConfig?.bind(ModelClass);
  return autoCompleteConfig === undefined ? { ModelClass, file } : { ModelClass, file, autoCompleteConfig };
}
