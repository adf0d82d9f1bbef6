// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findModelFile } from "./model_file.ts";

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "model-file-test-"));
  mkdirSync(join(root, "1", "model.ts"), { recursive: true });
  writeFileSync(join(root, "1", "model.mjs"), "");
  writeFileSync(join(root, "outside.ts"), "");
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

test("a folder called model.ts is no model", () => {
  expect(findModelFile(join(root, "1"))).toBe(join(root, "1", "model.mjs"));
  expect(findModelFile(join(root, "1"), "")).toBe(join(root, "1", "model.mjs"));
});

test.each(["../outside.ts", "/outside.ts", "a/../../outside.ts", "..\\outside.ts", "a\0.ts"])(
  "%j is refused",
  (name) => {
    expect(() => findModelFile(join(root, "1"), name)).toThrow("leads out of the version folder");
  },
);

test("what the folder has in place of a model's file is told", () => {
  expect(() => findModelFile(join(root, "1"), "other.ts")).toThrow(
    "The folder has: model.mjs, model.ts. Put the model's file",
  );
  expect(() => findModelFile(join(root, "2"))).toThrow("There is no such folder. Put");
  mkdirSync(join(root, "3"));
  expect(() => findModelFile(join(root, "3"))).toThrow("The folder is empty. Put");
  for (let i = 0; i < 12; i++) writeFileSync(join(root, "3", `weights${i}.bin`), "");
  expect(() => findModelFile(join(root, "3"))).toThrow(/The folder has: weights0\.bin, .*weights7\.bin and 2 more\./);
});

test("a file of another kind is refused", () => {
  expect(() => findModelFile(join(root, "1"), "model.py")).toThrow("must end in .ts, .mts");
});
