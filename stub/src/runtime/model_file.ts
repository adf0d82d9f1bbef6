// SPDX-License-Identifier: Apache-2.0
import { readdirSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { TritonError } from "../api/errors.ts";

/** The names that are looked for when the configuration has no `default_model_filename`. */
const MODEL_FILE_NAMES: readonly string[] = ["model.ts", "model.mts", "model.js", "model.mjs"];

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** Names are shown of so many files, of a folder of weights and the like. */
const SHOWN_FILES = 10;

/** What is there in place of a model's file. */
function describeFolder(folder: string): string {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch {
    return "There is no such folder.";
  }
  if (names.length === 0) return "The folder is empty.";
  const more = names.length > SHOWN_FILES ? ` and ${names.length - SHOWN_FILES} more` : "";
  return `The folder has: ${names.slice(0, SHOWN_FILES).join(", ")}${more}.`;
}

/**
 * Finds the file that holds the model's class.
 *
 * @param folder where the file lies: the version folder, or that of a TypeScript-based backend
 * @param filename the configuration's `default_model_filename`; empty counts as left out
 * @returns the full path
 * @throws TritonError INVALID_ARG when `filename` leads out of `folder` or is not a TypeScript or JavaScript file
 * @throws TritonError NOT_FOUND when there is no such file; the message names every path that was tried
 */
export function findModelFile(folder: string, filename?: string): string {
  if (filename !== undefined && filename !== "") {
    if (isAbsolute(filename) || filename.split(/[\\/]/).includes("..") || filename.includes("\0")) {
      throw new TritonError(
        `default_model_filename '${filename}' leads out of the version folder. ` +
          "Give the name of a file inside it, without '..' and without a leading '/'.",
        "INVALID_ARG",
      );
    }
    if (!/\.(?:[cm]?[jt]s|[jt]sx)$/.test(filename)) {
      throw new TritonError(
        `default_model_filename '${filename}' must end in .ts, .mts, .cts, .tsx, .js, .mjs, .cjs or .jsx.`,
        "INVALID_ARG",
      );
    }
  }
  const names = filename === undefined || filename === "" ? MODEL_FILE_NAMES : [filename];
  const paths = names.map((name) => join(folder, name));
  const found = paths.find(isFile);
  if (found === undefined) {
    throw new TritonError(
      `No model file was found. Looked for ${paths.map((path) => `'${path}'`).join(", ")}. ` +
        `${describeFolder(folder)} Put the model's file there, or name it by default_model_filename.`,
      "NOT_FOUND",
    );
  }
  return found;
}
