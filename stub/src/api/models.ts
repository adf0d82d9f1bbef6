// SPDX-License-Identifier: Apache-2.0
import { defect } from "./errors.ts";
import { type ModelFile, theModelServer } from "./model_server.ts";
import { shown } from "./value_words.ts";

/** How a model is loaded. */
export interface LoadOptions {
  /** The model's configuration in place of its `config.pbtxt`: an object with the fields of one, or the same as JSON text. */
  config?: object | string | undefined;
  /**
   * Files of the model in place of its folder, by their paths in it, such as `1/model.ts`; text is written as UTF-8. They
   * need `config` beside them, and are copied before `load` returns.
   */
  files?: Readonly<Record<string, Uint8Array | string>> | undefined;
}

/** How a model is unloaded. */
export interface UnloadOptions {
  /** Unload the models that an ensemble is made of, too. */
  unloadDependents?: boolean | undefined;
  /** Settle when the model is gone: its requests answered, its `finalize` done, its process ended. */
  wait?: boolean | undefined;
}

/** The models of the server. */
export interface Models {
  /**
   * Whether a model takes requests. False for one that the server does not know.
   *
   * @param version default: the one that the server's version policy says
   * @throws TritonError INTERNAL at once when an argument is wrong; rejects with UNAVAILABLE while the server itself starts
   */
  isReady(name: string, version?: number | string): Promise<boolean>;
  /**
   * Loads a model, or loads it again when its files or its configuration have changed. Settled when it is ready; a model that
   * is served already goes on meanwhile, and afterwards, if loading the new one fails.
   *
   * @throws TritonError INTERNAL at once when an argument is wrong; rejects with the server's error, INVALID_ARG when the model
   *   does not load, UNAVAILABLE when the server was not started with `--model-control-mode=explicit`
   */
  load(name: string, options?: LoadOptions): Promise<void>;
  /**
   * Unloads a model: it takes no requests any more when this is settled, and answers those that it has.
   *
   * @throws TritonError INTERNAL at once when an argument is wrong; rejects with the server's error
   */
  unload(name: string, options?: UnloadOptions): Promise<void>;
}

function wrong(method: keyof Models, argument: string, value: unknown, wanted: string): never {
  const message = `The argument '${argument}' of models.${method} must be ${wanted}, but is ${shown(value)}.`;
  throw defect(message);
}

function checkName(method: keyof Models, name: unknown): string {
  if (typeof name === "string" && name !== "" && !name.includes("\0")) return name;
  return wrong(method, "name", name, "the name of a model");
}

const LARGEST_VERSION = 2n ** 63n - 1n;

function checkVersion(version: unknown): string {
  if (version === undefined || version === "") return "-1";
  const isNumber = typeof version === "number" && Number.isSafeInteger(version) && version >= -1;
  const isText = typeof version === "string" && /^(-1|\d+)$/.test(version) && BigInt(version) <= LARGEST_VERSION;
  if (isNumber || isText) return `${version}`;
  return wrong("isReady", "version", version, "a whole number, or a text of one, or left out");
}

/** Options by their names: one that is misspelt would be missed by nobody. */
function checkOptions(method: keyof Models, options: unknown, names: readonly string[]): Record<string, unknown> {
  if (options === undefined) return {};
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    wrong(method, "options", options, `an object with ${names.join(" and ")}`);
  }
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown === undefined) return options as Record<string, unknown>;
  const known = names.map((name) => `'${name}'`).join(" and ");
  throw defect(`models.${method} knows the options ${known}, but got '${unknown}'.`);
}

function checkFlag(option: string, value: unknown): boolean {
  return value === undefined || typeof value === "boolean"
    ? value === true
    : wrong("unload", option, value, "true or false");
}

function checkConfig(config: unknown): string | undefined {
  if (config === undefined) return undefined;
  const wanted = "an object with the fields of a configuration, or the JSON text of one";
  let text: unknown;
  let value: unknown;
  try {
    text = typeof config === "string" ? config : JSON.stringify(config);
    value = typeof text === "string" ? JSON.parse(text) : undefined;
  } catch (error) {
    throw defect(`The argument 'config' of models.load must be ${wanted}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) wrong("load", "config", config, wanted);
  return text as string;
}

/** python_backend wants this before each path. */
const PREFIX = "file:";

function checkFile(key: string, data: unknown): ModelFile {
  const path = key.startsWith(PREFIX) ? key.slice(PREFIX.length) : key;
  const parts = path.split("/");
  if (path.includes("\0") || parts.some((part) => part === "" || part === "." || part === "..")) {
    throw defect(
      `The argument 'files' of models.load has the path '${key}', which is none in a model's folder. ` +
        "Give one such as '1/model.ts'.",
    );
  }
  if (typeof data === "string") return { path, data: new TextEncoder().encode(data) };
  return data instanceof Uint8Array ? { path, data } : wrong("load", `files['${key}']`, data, "a Uint8Array or text");
}

function checkFiles(files: unknown): readonly ModelFile[] {
  if (files === undefined) return [];
  if (typeof files !== "object" || files === null || Array.isArray(files) || ArrayBuffer.isView(files)) {
    return wrong("load", "files", files, "an object with a Uint8Array or text for each path");
  }
  return Object.entries(files).map(([key, data]) => checkFile(key, data));
}

/** Asks the server about its models. */
export const models: Models = {
  isReady(name, version) {
    const [checkedName, checkedVersion] = [checkName("isReady", name), checkVersion(version)];
    return theModelServer().isReady(checkedName, checkedVersion);
  },

  load(name, options) {
    const checkedName = checkName("load", name);
    const { config, files } = checkOptions("load", options, ["config", "files"]);
    const [checkedConfig, checkedFiles] = [checkConfig(config), checkFiles(files)];
    if (checkedFiles.length > 0 && checkedConfig === undefined) {
      // The server would only say that it "failed to poll".
      throw defect(
        "models.load with 'files' needs 'config' beside them, since they take the place of the model's whole folder.",
      );
    }
    return theModelServer().load(checkedName, checkedConfig, checkedFiles);
  },

  unload(name, options) {
    const checkedName = checkName("unload", name);
    const { unloadDependents, wait } = checkOptions("unload", options, ["unloadDependents", "wait"]);
    const dependents = checkFlag("unloadDependents", unloadDependents);
    return theModelServer().unload(checkedName, dependents, checkFlag("wait", wait));
  },
};
