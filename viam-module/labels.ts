// SPDX-License-Identifier: Apache-2.0
// Labels as the robot's vision service reads them: a file with one in each line, named by the metadata of the first output.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, renameSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Attributes } from "./attributes.ts";
import { ModuleError } from "./errors.ts";
import type { ModelContract } from "./model_contract.ts";

let ownFolder: string | undefined;

/** Where files of ours lie: what the robot keeps for this module, or a folder of this run. */
function dataFolder(): string {
  const given = process.env["VIAM_MODULE_DATA"];
  if (given) {
    mkdirSync(given, { recursive: true });
    return given;
  }
  ownFolder ??= mkdtempSync(path.join(os.tmpdir(), "triton-viam-"));
  return ownFolder;
}

/** The folder of this run, if there is one, to be removed at its end. */
export const temporaryFolder = (): string | undefined => ownFolder;

/** A file that holds these labels. Its name is made of what is in it, so that the same labels have one file. */
function labelFile(labels: readonly string[]): string {
  const text = `${labels.join("\n")}\n`;
  const digest = createHash("sha256").update(text).digest("hex").slice(0, 16);
  const file = path.join(dataFolder(), `labels-${digest}.txt`);
  if (existsSync(file)) return file;
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, text);
  renameSync(draft, file);
  return file;
}

/** The output that labels belong to, and the file with them. */
export interface Labels {
  readonly output: string;
  readonly file: string;
}

/**
 * The labels of a model: those of the attributes, else those that its configuration names.
 *
 * @throws ModuleError NOT_FOUND for a file that is not there
 */
export function labelsOf(attributes: Attributes, contract: ModelContract): Labels | undefined {
  const { labels, labelPath, modelRepositoryPath } = attributes;
  const declared = contract.outputs.find((output) => output.labelFile !== undefined);
  const likely = contract.outputs.find(({ name }) => name === "category" || name === "probability");
  const output = (declared ?? likely ?? contract.outputs[0])?.name;
  if (output === undefined) return undefined;
  if (labels !== undefined) return { output, file: labelFile(labels) };
  if (labelPath !== undefined) {
    const file = path.resolve(labelPath);
    if (existsSync(file)) return { output, file };
    throw new ModuleError("NOT_FOUND", `The attribute "label_path" names ${file}, which does not exist.`);
  }
  if (declared?.labelFile === undefined || modelRepositoryPath === undefined) return undefined;
  const file = path.resolve(modelRepositoryPath, contract.model, declared.labelFile);
  return existsSync(file) ? { output, file } : undefined;
}
