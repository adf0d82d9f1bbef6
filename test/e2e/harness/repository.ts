// SPDX-License-Identifier: Apache-2.0
// Model repositories for tests: copies of fixtures in a temporary folder, so that a test may change what it serves.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const fixtures = fileURLToPath(new URL("../../fixtures/models/", import.meta.url));

/** A model made of a fixture, under a name of its own and with changes. */
export interface ModelSpec {
  name: string;
  /** The fixture whose folder is copied. Left out, the model consists of `config` and `files` alone. */
  fixture?: string;
  /** The text of config.pbtxt, in place of the fixture's. */
  config?: string;
  /** The version folders that are copies of the fixture's folder 1. Default: [1]. */
  versions?: readonly number[];
  /** More files: path inside the model's folder to text. */
  files?: Readonly<Record<string, string>>;
}

/** Writes files below `folder`, with the folders that they need. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

/** Puts a model into a repository. A name alone stands for the fixture of that name. */
export function addModel(repository: string, model: string | ModelSpec): void {
  const spec: ModelSpec = typeof model === "string" ? { name: model, fixture: model } : model;
  const folder = path.join(repository, spec.name);
  mkdirSync(folder, { recursive: true });
  if (spec.fixture !== undefined) {
    const source = path.join(fixtures, spec.fixture);
    if (!existsSync(source)) throw new Error(`There is no fixture ${source}.`);
    for (const entry of readdirSync(source)) {
      if (entry !== "1") cpSync(path.join(source, entry), path.join(folder, entry), { recursive: true });
    }
    for (const version of spec.versions ?? [1]) {
      cpSync(path.join(source, "1"), path.join(folder, String(version)), { recursive: true });
    }
  }
  if (spec.config !== undefined) writeFileSync(path.join(folder, "config.pbtxt"), spec.config);
  writeFiles(folder, spec.files ?? {});
}

/** Makes a repository of these models in a new temporary folder. */
export function makeRepository(models: readonly (string | ModelSpec)[]): string {
  const repository = mkdtempSync(path.join(os.tmpdir(), "triton-typescript-e2e-"));
  for (const model of models) addModel(repository, model);
  return repository;
}

/** Every file and folder below `folder` with its size and times: two equal listings mean that nothing was written. */
export function listing(folder: string): string[] {
  const names = (readdirSync(folder, { recursive: true }) as string[]).sort();
  return ["", ...names].map((name) => {
    const { size, mtimeMs, ctimeMs, ino } = statSync(path.join(folder, name));
    return `${name} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  });
}
