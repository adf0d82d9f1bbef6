// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, type MockInstance, test, vi } from "vitest";
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
    "empty.json": "",
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

let write: MockInstance<typeof process.stdout.write>;
beforeEach(() => {
  write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
});
afterEach(() => write.mockRestore());
const logged = () => write.mock.calls.map(([text]) => String(text));

test("the nearest tsconfig.json", () => {
  expect(findTsconfig(join(root, "m/1"))).toBe(join(root, "m/tsconfig.json"));
});

test("what it extends counts: a file, several, and those of packages", async () => {
  expect(await compilerOptions(join(root, "m/tsconfig.json"))).toHaveProperty("paths");
  const several = await compilerOptions(join(root, "several.json"));
  expect(several).toMatchObject({ emitDecoratorMetadata: true });
  expect(several).toHaveProperty("paths");
  expect(logged()).toEqual([]);
});

test.each([
  ["missing.json", /File '\.\/nowhere\.json' not found/],
  ["broken.json", /Unexpected identifier 'is'/],
])("%s says nothing, with one warning that says why", async (name, why) => {
  expect(await compilerOptions(join(root, name))).toEqual({});
  expect(logged()).toEqual([expect.stringContaining(`W'${join(root, name)}' cannot be read in full`)]);
  expect(logged()[0]).toMatch(why);
});

test("no file says nothing, and so does an empty one", async () => {
  expect(await compilerOptions(undefined)).toEqual({});
  expect(await compilerOptions(join(root, "empty.json"))).toEqual({});
});
