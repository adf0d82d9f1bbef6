// SPDX-License-Identifier: Apache-2.0
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ModelFolder, model } from "./testing/model_folder.ts";

let folder: ModelFolder;
let root: string;
const write = (files: Record<string, string | Uint8Array>) => folder.write(files);
const load = (options?: Record<string, unknown>) => folder.load(options);

beforeEach(() => {
  folder = new ModelFolder();
  root = folder.root;
});

afterEach(() => folder.remove());

describe("faults of the model", () => {
  test.each(["model.ts", "model.mjs"])("a syntax error in %s has file, line, column and source", async (name) => {
    write({ [name]: "export default class M {\n  execute() {\n    let x = = 3;\n  }\n}\n" });
    const report = await load();
    expect(report).toMatchObject({ ours: true, code: "INVALID_ARG" });
    expect(report.message).toContain(`${join(root, "repository/m/1", name)}:3:13: `);
    expect(report.message).toContain("    let x = = 3;\n            ^");
  });

  test("a syntax error in a sibling names the sibling", async () => {
    write({ "model.ts": model("return 1", `import "./bad.ts";`), "bad.ts": "const a: = 1;\n" });
    expect((await load()).message).toMatch(/bad\.ts:1:\d+: /);
  });

  test("a syntax error beside an enum", async () => {
    write({ "model.ts": "enum X { A }\nlet x = = 3;\n" });
    expect((await load()).message).toMatch(/model\.ts:2:\d+/);
  });

  test("a name that a sibling does not export", async () => {
    write({ "model.ts": model("return nope()", `import { nope } from "./s.ts";`), "s.ts": "export const yes = 1;" });
    const { message } = await load();
    expect(message).toMatch(/^The model cannot be loaded because of an import at .* export named 'nope'\n/);
    expect(message).toContain(`${join(root, "repository/m/1/model.ts")}:1:10: `);
  });

  test.each(["model.ts", "sibling.ts"])("%s is saved as UTF-16", async (name) => {
    write({
      "model.ts": model("return 1", `import "./sibling.ts";`),
      "sibling.ts": "",
      [name]: Buffer.from("\ufeffexport const a: number = 1;", "utf16le"),
    });
    expect((await load()).message).toBe(
      `The model cannot be loaded, because '${join(root, "repository/m/1", name)}' is not saved as UTF-8 but, it seems, ` +
        "as UTF-16. Save it as UTF-8.",
    );
  });

  test.each([
    ["lodash-not-there/fp", "Run npm install lodash-not-there in the model's folder or above the repository."],
    ["@none/of-these", "Run npm install @none/of-these in the model's folder"],
    ["triton-typescrpt", "Is 'triton-typescript' meant?"],
  ])("the package %s is not there", async (name, told) => {
    write({ "model.ts": model("return 1", `import "${name}";`) });
    const report = await load();
    expect(report).toMatchObject({ ours: true, code: "NOT_FOUND" });
    expect(report.message).toContain(`upwards. ${told}`);
  });

  test("a file that is not there is no package", async () => {
    write({ "model.ts": model("return 1", `import "./none.ts";`) });
    expect((await load()).message).toMatch(/an import was not found.* upwards\.$/);
  });

  test("an error at the top level points into the source", async () => {
    write({
      "model.ts": "type A = number;\n\nfunction fail(): never {\n  throw new RangeError('boom');\n}\nfail();\n",
    });
    const report = await load();
    expect(report).toMatchObject({ ours: true, code: "INTERNAL" });
    expect(report.message).toContain("RangeError: boom");
    expect(report.message).toContain(`${join(root, "repository/m/1/model.ts")}:4:9`);
    expect(report.causeStack).toMatch(/model\.ts:6:1/);
  });

  test("a SyntaxError that the model's own code throws is no syntax error of the model", async () => {
    write({ "model.ts": "export const a: unknown =\n  JSON.parse('{');\n" });
    const report = await load();
    expect(report.message).toContain("threw while it was loaded: SyntaxError: ");
    expect(report.message).toContain("model.ts:2:8)");
  });

  test("a value that is no error is thrown", async () => {
    write({ "model.ts": "throw 'text';" });
    expect((await load()).message).toContain("threw while it was loaded: text");
    write({ "model.ts": "throw Object.create(null, { why: { value: 'odd', enumerable: true } });" });
    expect((await load()).message).toContain("why: 'odd'");
  });

  test("a missing export names what there is", async () => {
    write({ "model.ts": "export const one = 1; export function two() {}" });
    expect((await load()).message).toContain("it exports 'one', 'two'.");
    for (const text of ["export {};", ""]) {
      write({ "model.ts": text });
      expect((await load()).message).toContain("it exports nothing.");
    }
  });

  test("nothing is written into the repository", async () => {
    write({ "model.ts": model("return X.A", "enum X { A = 5 }") });
    const before = statSync(join(root, "repository/m/1")).mtimeMs;
    await load({ compileCacheDir: join(root, "cache"), typeCheck: true });
    expect(readdirSync(join(root, "repository"), { recursive: true }).sort()).toEqual(["m", "m/1", "m/1/model.ts"]);
    expect(statSync(join(root, "repository/m/1")).mtimeMs).toBe(before);
    expect(existsSync(join(root, "cache"))).toBe(true);
  });
});
