// SPDX-License-Identifier: Apache-2.0
// Models whose files are links. Hooks change a whole process, so every model is loaded in a process of its own.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  opendirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { linksUnder } from "./own_names.ts";

const script = fileURLToPath(new URL("./testing/load_model.ts", import.meta.url));
const apiUrl = new URL("../api/index.ts", import.meta.url).href;

let root: string;
let stored: number;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "own-names-test-")));
  stored = 0;
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

/** The place of a file below the test's folder; a name without a folder is one in the version folder. */
function placeOf(name: string): string {
  const path = join(root, name.includes("/") ? name : join("repository/m/1", name));
  mkdirSync(dirname(path), { recursive: true });
  return path;
}

function write(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(placeOf(name), text);
}

/** Writes files into a store that has no endings and no neighbours, and links to them where they belong. */
function link(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    const place = `store/${stored++}/0123abcd`;
    write({ [place]: text });
    symlinkSync(join(root, place), placeOf(name));
  }
}

function load(options: Record<string, unknown> = {}): { result?: unknown; message?: string } {
  const repository = join(root, "repository");
  const folders = { versionDir: join(repository, "m/1"), modelDir: join(repository, "m"), repositoryDir: repository };
  const all = { ...folders, backendDir: join(root, "backends/typescript"), apiUrl, ...options };
  const output = execFileSync(process.execPath, [script, JSON.stringify(all)], { cwd: "/", encoding: "utf8" });
  return JSON.parse(output.trimEnd().split("\n").pop() ?? "");
}

const model = (body: string, head = "") => `${head}\nexport default class Model { execute() { ${body} } }\n`;

test("every file of a model keeps its name, however it is reached", () => {
  link({
    "model.ts": model(
      "return [helper, deep, table.length, common, required(), lazy, labels, import.meta.url, text]",
      `import fs from "node:fs"; import { createRequire } from "node:module"; import { helper } from "./helper.ts";
       import { deep } from "./lib/deep.mts"; import table from "./table.json" with { type: "json" };
       import common from "./common.cjs"; import { labels } from "#labels";
       const require = createRequire(import.meta.url);
       const required = () => require("./lib") + require.resolve("./common.cjs").split("/").pop();
       const { lazy } = await import("./lazy.js");
       const text = fs.readFileSync(new URL("./labels.txt", import.meta.url), "utf8");`,
    ),
    "helper.ts": `export { helper } from "./lib/inner.ts";`,
    "repository/m/1/lib/inner.ts": `export const helper: string = "helper";`,
    "repository/m/1/lib/deep.mts": `import Model from "../model.ts"; export const deep = () => new Model();`,
    "repository/m/1/lib/index.js": `module.exports = "index";`,
    "common.cjs": `module.exports = require("./other") + require("./table").length;`,
    "other.js": `module.exports = "common";`,
    "table.json": "[1, 2, 3]",
    "lazy.js": `export const lazy = "lazy";`,
    "labels.txt": "cat",
    "repository/m/package.json": `{ "imports": { "#labels": "./1/labels.ts" } }`,
    "repository/m/1/labels.ts": `export const labels: string[] = ["cat"];`,
  });
  const report = load();
  const url = `file://${join(root, "repository/m/1/model.ts")}`;
  // A function is no JSON.
  const wanted = ["helper", null, 3, "common3", "indexcommon.cjs", "lazy", ["cat"], url, "cat"];
  expect(report.result ?? report).toEqual(wanted);
});

test("a compiler gets the names, and a tsconfig that is a link", () => {
  link({
    "model.ts": model(
      "return Colour[Colour.Green] + word + aliased",
      `import { word } from "./word"; import { aliased } from "@lib/aliased"; enum Colour { Red, Green }`,
    ),
    "word.ts": `export { word } from "./inner.js";`,
    "inner.ts": `export const word: string = "word";`,
    "repository/m/1/lib/aliased.ts": `enum A { x = "aliased" }\nexport const aliased: string = A.x;`,
    "repository/m/tsconfig.json": `{ "compilerOptions": { "paths": { "@lib/*": ["./1/lib/*"] } } }`,
  });
  const report = load();
  expect(report.result ?? report).toBe("Greenwordaliased");
});

test("two names of one file are two modules, each with the neighbours of its name", () => {
  const same = `export { v } from "./v.ts";`;
  write({
    "store/same": same,
    "repository/m/1/a/v.ts": "export const v = 1;",
    "repository/m/1/b/v.ts": "export const v = 2;",
    "model.ts": model("return [a, b]", `import { v as a } from "./a/x.ts"; import { v as b } from "./b/x.ts";`),
  });
  for (const folder of ["a", "b"]) symlinkSync(join(root, "store/same"), placeOf(`repository/m/1/${folder}/x.ts`));
  expect(load().result).toEqual([1, 2]);
});

test("a mounted folder that is exchanged by a link, as in Kubernetes", () => {
  write({
    "repository/m/1/..2026_01/model.ts": model("return v + import.meta.filename", `import { v } from "./sibling.ts";`),
    "repository/m/1/..2026_01/sibling.ts": `export const v: string = "mounted ";`,
  });
  symlinkSync("..2026_01", placeOf("..data"));
  for (const name of ["model.ts", "sibling.ts"]) symlinkSync(`..data/${name}`, placeOf(name));
  expect(load().result).toBe(`mounted ${placeOf("model.ts")}`);
});

test("what is not beside a link is looked for beside the file that it leads to", () => {
  write({
    "project/models/m/1/model.ts": model(
      "return [shared, a.v, r, t]",
      `import { shared } from "../../../shared.ts"; import a from "a"; import r from "./r.cjs"; import { t } from "#t";`,
    ),
    "project/models/m/1/r.cjs": `module.exports = require("a").v + require("../../../plain.cjs");`,
    "project/plain.cjs": `module.exports = "plain";`,
    "project/shared.ts": `export const shared: string = "shared";`,
    "project/t.ts": `export const t: number = 1;`,
    "project/package.json": `{ "imports": { "#t": "./t.ts" } }`,
    "project/node_modules/a/index.js": `exports.v = "a"`,
    "project/node_modules/a/package.json": `{"main":"index.js"}`,
    "repository/empty": "",
  });
  symlinkSync(join(root, "project/models/m"), join(root, "repository/m"));
  const report = load();
  expect(report.result ?? report).toEqual(["shared", "a", "aplain", 1]);
});

test("a file that is reached by its name and by an alias is one module", () => {
  write({
    "elsewhere/1/model.ts": model("return a === b", `import { a } from "./a.ts"; import { a as b } from "#a";`),
    "elsewhere/1/a.ts": "export const a: object = {};",
    "elsewhere/package.json": `{ "imports": { "#a": "./1/a.ts" } }`,
    "repository/empty": "",
  });
  symlinkSync(join(root, "elsewhere"), join(root, "repository/m"));
  const report = load();
  expect(report.result ?? report).toBe(true);
});

test("packages that are links are taken where they lie, with what they need", () => {
  write({
    "model.ts": model("return a.v", `import a from "a";`),
    "repository/node_modules/.store/a/node_modules/a/index.js": `exports.v = require("b").v`,
    "repository/node_modules/.store/a/node_modules/b/index.js": "exports.v = 5",
  });
  symlinkSync(".store/a/node_modules/a", join(root, "repository/node_modules/a"));
  const report = load();
  expect(report.result ?? report).toBe(5);
});

test("a syntax error and a missing file name the link", () => {
  link({ "model.ts": model("return ;;;) oops") });
  expect(load().message).toContain(`${placeOf("model.ts")}:2:`);
  rmSync(placeOf("model.ts"));
  link({ "model.ts": model("", `import "./absent.ts";`) });
  expect(load().message).toContain(placeOf("absent.ts"));
});

test("TYPE_CHECK reads links", () => {
  link({
    "model.ts": model("return helper", `import { helper } from "./helper.ts";`),
    "helper.ts": "export const helper: number = 1;",
  });
  const report = load({ typeCheck: true });
  expect(report.result ?? report).toBe(1);
});

test("the files of a backend are those that its links lead to", () => {
  write({
    "elsewhere/b/model.ts": model("return import.meta.url", `import "../beside.ts";`),
    "elsewhere/beside.ts": "",
  });
  const linked = placeOf("backends/typescript/model.ts");
  symlinkSync(join(root, "elsewhere/b/model.ts"), linked);
  const report = load({ versionDir: dirname(linked), resolvesLinks: true });
  expect(report.result ?? report).toBe(`file://${join(root, "elsewhere/b/model.ts")}`);
});

/** A model whose folder is looked through, as an alias leads to a file that is a link. */
const aliased = () => {
  write({ "repository/m/package.json": `{ "imports": { "#v": "./v.ts" } }` });
  link({
    "model.ts": model("return v", `import { v } from "#v";`),
    "repository/m/v.ts": "export const v: number = 5;",
  });
};

test.skipIf(process.getuid?.() === 0)("a folder of the model that cannot be read is in nobody's way", () => {
  aliased();
  const locked = dirname(placeOf("repository/m/locked/file"));
  chmodSync(locked, 0);
  const report = load();
  chmodSync(locked, 0o700); // so that it can be removed
  expect(report.result ?? report).toBe(5);
});

test("links are found beside folders that cannot be read, and beside links to nowhere", () => {
  aliased();
  write({ "repository/m/locked/file": "" });
  symlinkSync("circle", placeOf("repository/m/circle"));
  const folder = join(root, "repository/m");
  const links = linksUnder(folder, (path) => {
    if (path.endsWith("locked")) throw Object.assign(new Error("denied"), { code: "EACCES" });
    return opendirSync(path);
  });
  expect([...links.values()].sort()).toEqual([join(folder, "1/model.ts"), join(folder, "v.ts")]);
});

test("a folder without end is read to a limit, with one warning", () => {
  const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  try {
    let read = 0;
    const file = { name: "file", isDirectory: () => false, isSymbolicLink: () => false };
    const closeSync = vi.fn();
    const endless = { readSync: () => (++read > 1e6 ? null : file), closeSync };
    linksUnder("/m", () => endless);
    expect(read).toBe(10_001);
    expect(closeSync).toHaveBeenCalledTimes(1);
    expect(write.mock.calls.map(([text]) => text)).toEqual([
      expect.stringMatching(/WThe model's folder '\/m' has more than 10000 entries; .*import it by a relative path/),
    ]);
  } finally {
    write.mockRestore();
  }
});

test("the files of a model that lies inside of a package keep their names", () => {
  const version = "repository/node_modules/pkg/models/m/1";
  write({
    "repository/node_modules/pkg/store/a": `import { v } from "./v.ts"; export const url: string = v + import.meta.url;`,
    "repository/node_modules/pkg/models/store/b": model("return url", `import { url } from "./a.ts";`),
    "repository/node_modules/pkg/store/c": `export const v: string = "v ";`,
    [`${version}/empty`]: "",
  });
  symlinkSync("../../../store/a", join(root, version, "a.ts"));
  symlinkSync("../../store/b", join(root, version, "model.ts"));
  symlinkSync("../../../store/c", join(root, version, "v.ts"));
  const modelDir = dirname(join(root, version));
  const report = load({ versionDir: join(root, version), modelDir, repositoryDir: dirname(modelDir) });
  expect(report.result ?? report).toBe(`v file://${join(root, version, "a.ts")}`);
});
