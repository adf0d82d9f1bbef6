// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelConfig } from "triton-typescript";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findModelFile } from "./model_file.ts";

let root: string;
let modelDir: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "model-file-"));
  modelDir = join(root, "repository", "m", "1");
  mkdirSync(modelDir, { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

function put(...path: string[]): string {
  const file = join(...path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, "");
  return file;
}

function config(file = "", packageFile?: string): ModelConfig {
  return {
    name: "m",
    platform: "",
    backend: "onnxruntime",
    max_batch_size: 0,
    input: [],
    output: [],
    default_model_filename: file,
    ...(packageFile === undefined ? {} : { parameters: { MODEL_PACKAGE_FILE: { string_value: packageFile } } }),
  };
}

test("model.onnx is the default, default_model_filename names another", () => {
  const first = put(modelDir, "model.onnx");
  const second = put(modelDir, "other.onnx");
  expect(findModelFile(config(), modelDir, root)).toBe(first);
  expect(findModelFile(config("other.onnx"), modelDir, root)).toBe(second);
});

test("a folder holds the file and its weights", () => {
  const file = put(modelDir, "model.onnx", "model.onnx");
  expect(findModelFile(config(), modelDir, root)).toBe(file);
});

test("a missing file is named with its path", () => {
  expect(() => findModelFile(config(), modelDir, root)).toThrow(`no model file '${join(modelDir, "model.onnx")}'`);
});

test("a link that leads nowhere falls back on the package file, above the model or above the backend", () => {
  symlinkSync("../nowhere.onnx", join(modelDir, "model.onnx"));
  const backend = join(root, "server", "backends", "onnxruntime");
  const byBackend = put(root, "server", "node_modules", "@scope", "networks", "a.onnx");
  expect(findModelFile(config("", "@scope/networks/a.onnx"), modelDir, backend)).toBe(byBackend);
  const byModel = put(root, "node_modules", "@scope", "networks", "a.onnx");
  expect(findModelFile(config("", "@scope/networks/a.onnx"), modelDir, backend)).toBe(byModel);
});

test("a file in the version folder comes before the package file", () => {
  const own = put(modelDir, "model.onnx");
  put(root, "node_modules", "networks", "a.onnx");
  expect(findModelFile(config("", "networks/a.onnx"), modelDir, root)).toBe(own);
});

test("a package that is not installed is named", () => {
  expect(() => findModelFile(config("", "no-such/a.onnx"), modelDir, root)).toThrow(
    /'no-such\/a.onnx', which MODEL_PACKAGE_FILE names/,
  );
});

test.each(["../secret.onnx", "a/../../secret.onnx", "..", "/secret.onnx", "a\\..\\..\\secret.onnx", "a\0.onnx"])(
  "a name that leads out of its folder is refused: %j",
  (name) => {
    put(modelDir, "..", "secret.onnx");
    put(root, "secret.onnx");
    put(modelDir, "model.onnx");
    for (const [key, wanted] of [
      ["default_model_filename", config(name)],
      ["MODEL_PACKAGE_FILE", config("", name)],
    ] as const) {
      expect(() => findModelFile(wanted, modelDir, root)).toThrow(`${key} '${name}' leads out of`);
    }
  },
);

test("a name may hold dots, and a link may lead anywhere", () => {
  expect(findModelFile(config("a..b.onnx"), modelDir, put(modelDir, "a..b.onnx"))).toBe(join(modelDir, "a..b.onnx"));
  symlinkSync(put(root, "elsewhere.onnx"), join(modelDir, "link.onnx"));
  expect(findModelFile(config("link.onnx"), modelDir, root)).toBe(join(modelDir, "link.onnx"));
});
