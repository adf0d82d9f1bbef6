// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compilerOptions, findTsconfig } from "./tsconfig.ts";

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "tsconfig-"));
  const files = {
    "m/1/model.ts": "",
    "m/tsconfig.json": '{ "extends": "./base.json", }',
    "m/base.json": '{ /* a comment */ "compilerOptions": { "paths": { "@lib/*": ["1/lib/*"] } } }',
    "several.json": '{ "extends": ["./m/base.json", "a-package/tsconfig.json"] }',
    "node_modules/a-package/tsconfig.json": '{ "compilerOptions": { "emitDecoratorMetadata": true } }',
    "missing.json": '{ "extends": "./nowhere.json" }',
    "broken.json": "{ this is no JSON",
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

test("the nearest tsconfig.json", () => {
  expect(findTsconfig(join(root, "m/1"))).toBe(join(root, "m/tsconfig.json"));
});

test("what it extends counts: a file, several, and those of packages", async () => {
  expect(await compilerOptions(join(root, "m/tsconfig.json"))).toHaveProperty("paths");
  const several = await compilerOptions(join(root, "several.json"));
  expect(several).toMatchObject({ emitDecoratorMetadata: true });
  expect(several).toHaveProperty("paths");
});

test.each(["missing.json", "broken.json"])("%s says nothing", async (name) => {
  expect(await compilerOptions(join(root, name))).toEqual({});
});

test("no file says nothing", async () => {
  expect(await compilerOptions(undefined)).toEqual({});
});
