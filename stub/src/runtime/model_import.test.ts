// SPDX-License-Identifier: Apache-2.0
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadModel } from "./model_loader.ts";
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

describe("imports", () => {
  test("the API, by import and by require, is the one of the runtime", async () => {
    write({
      "model.ts": model(
        "return [Tensor === other, new InferenceResponse([new Tensor('A', ['x'], [1])]).outputs.length]",
        `import { InferenceResponse, Tensor, type TritonModel } from "triton-typescript";\nimport other from "./c.cjs";`,
      ),
      "c.cjs": `module.exports = require("triton-typescript").Tensor;`,
    });
    expect(await load()).toMatchObject({ result: [true, 1], noise: "" });
  });

  test("siblings, JSON and packages from every folder up to the install", async () => {
    const pkg = (text: string) => ({ text, json: `{"main":"index.js"}` });
    const at: Record<string, ReturnType<typeof pkg>> = {
      "repository/m/1/node_modules/in-version": pkg("exports.v = 'version'"),
      "repository/m/node_modules/in-model": pkg("exports.v = 'model'"),
      "repository/node_modules/in-repository": pkg("exports.v = 'repository'"),
      "backends/typescript/node_modules/in-backend": pkg("exports.v = 'backend'"),
      "node_modules/above": pkg("exports.v = 'above'"),
    };
    for (const [folder, { text, json }] of Object.entries(at)) {
      write({ [`${folder}/index.js`]: text, [`${folder}/package.json`]: json });
    }
    write({
      "model.ts": model(
        "return [a.v, b.v, c.v, d.v, e.v, labels.length, sibling, typeof Command, required]",
        `import a from "in-version"; import b from "in-model"; import c from "in-repository"; import d from "in-backend";
         import e from "above"; import labels from "./labels.json" with { type: "json" };
         import { sibling } from "./lib/sibling.ts"; import { Command } from "commander"; import required from "./r.cjs";`,
      ),
      "labels.json": `["cat", "dog"]`,
      "repository/m/1/lib/sibling.ts": `export const sibling: number = 7;`,
      "r.cjs": `module.exports = require("in-backend").v + typeof require("commander").Command;`,
    });
    expect(await load()).toMatchObject({
      result: ["version", "model", "repository", "backend", "above", 2, 7, "function", "backendfunction"],
      noise: "",
    });
  });

  test("a model folder reached through links", async () => {
    write({
      "elsewhere/1/model.ts": model("return value", `import { value } from "./sibling.ts"; import "in-repository";`),
      "elsewhere/1/sibling.ts": `export const value: string = "linked";`,
      "repository/node_modules/in-repository/index.js": "",
    });
    symlinkSync(join(root, "elsewhere"), join(root, "repository/m"));
    expect((await load()).result).toBe("linked");
  });

  test("an import that is nowhere", async () => {
    write({ "model.ts": model("return 1", `import "no-such-package-here";`) });
    const report = await load();
    expect(report).toMatchObject({ ours: true, code: "NOT_FOUND" });
    expect(report.message).toContain("no-such-package-here");
    expect(report.message).toContain("model.ts");
  });

  test("a package does not see the packages of the install", async () => {
    write({
      "repository/node_modules/picky/index.js": `try { require("commander"); exports.v = 1 } catch { exports.v = 0 }`,
      "model.ts": model("return picky.v", `import picky from "picky";`),
    });
    expect((await load()).result).toBe(0);
  });

  test("a project around the repository does not turn the model into CommonJS", async () => {
    write({
      "package.json": `{"type":"commonjs"}`,
      "model.ts": model("return v", `import { v } from "./s.ts";`),
      "s.ts": "export const v: number = 3;",
    });
    expect(await load()).toMatchObject({ result: 3, noise: "" });
  });

  test("a CommonJS model", async () => {
    write({ "model.js": "module.exports = class Old { execute() { return 'old' } };" });
    expect(await load()).toMatchObject({ name: "Old", result: "old" });
    write({ "model.js": "exports.TritonModel = class Old { execute() { return 'named' } };" });
    expect((await load()).result).toBe("named");
  });
});

describe("more than type stripping", () => {
  const stripless: Record<string, Record<string, string>> = {
    "an enum": { "model.ts": model("return X.A", "enum X { A = 5 }") },
    "a namespace": { "model.ts": model("return N.a", "namespace N { export const a = 5; }") },
    "a parameter property": {
      "model.ts": "export default class M { constructor(private v: number = 5) {} execute() { return this.v } }",
    },
    "a decorator": {
      "model.ts":
        "function d(f: Function, _c: unknown): any { return () => 5 }\nexport default class M { @d execute() { return 1 } }",
    },
    "an enum in a sibling": {
      "model.ts": model("return X.A", `import { X } from "./x.ts";`),
      "x.ts": "export enum X { A = 5 }",
    },
    "an import without extension": {
      "model.ts": model("return x", `import { x } from "./x";`),
      "x.ts": "export const x: number = 5;",
    },
    "an import of a folder": {
      "model.ts": model("return x", `import { x } from "./lib";`),
      "repository/m/1/lib/index.ts": "export const x: number = 5;",
    },
    "a .js import of a .ts file": {
      "model.ts": model("return x", `import { x } from "./x.js";`),
      "x.ts": "export const x: number = 5;",
    },
    "a path alias": {
      "model.ts": model("return x", `import { x } from "@lib/x";`),
      "repository/m/lib/x.ts": "export const x: number = 5;",
      "repository/m/tsconfig.json": `{"compilerOptions":{"paths":{"@lib/*":["./lib/*"]}}}`,
    },
    "a path alias of a tsconfig.json that is extended": {
      "model.ts": model("return x", `import { x } from "@lib/x";`),
      "repository/m/lib/x.ts": "export const x: number = 5;",
      "repository/m/tsconfig.json": `{"extends":["base/tsconfig.json"]}`,
      "repository/node_modules/base/tsconfig.json": `{"extends":"./paths.json"}`,
      "repository/node_modules/base/paths.json": `{"compilerOptions":{"paths":{"@lib/*":["../../m/lib/*"]}}}`,
    },
    "a .tsx file": {
      "model.ts": model("return x", `import { x } from "./x.tsx";`),
      "x.tsx": "export const x: number = 5;",
    },
    "a .jsx file": {
      "model.ts": model("return x", `import { x } from "./x.jsx";`),
      "x.jsx": "export const x = 5;",
    },
    "a type imported without the word type": {
      "model.ts": model(
        "const m: TritonModel | undefined = undefined; return m ?? 5",
        `import { TritonModel, Tensor } from "triton-typescript";`,
      ),
    },
  };

  test.each(Object.keys(stripless))("%s", async (name) => {
    write(stripless[name]!);
    expect(await load()).toMatchObject({ result: 5, noise: "" });
  });

  test("a model file that is .tsx", async () => {
    write({ "model.tsx": model("return x", "const x: number = 5;") });
    expect(await load({ filename: "model.tsx" })).toMatchObject({ result: 5, noise: "" });
  });

  const decorated = {
    "model.ts":
      "function d(t: any, k: string) {}\nclass A { @d a!: number; }\nexport default class M { execute() { return 5 } }",
    "repository/m/base.json": `{"compilerOptions":{"experimentalDecorators":true,"emitDecoratorMetadata":true}}`,
    "repository/m/tsconfig.json": `{"extends":"./base.json"}`,
  };

  test.each([undefined, "tsx"])("the metadata of decorators is missed: LOADER %s", async (loader) => {
    write(decorated);
    const { result, noise } = await load({ loader });
    expect(result).toBe(5);
    expect(noise).toContain(`W'${join(root, "repository/m/tsconfig.json")}' asks for emitDecoratorMetadata, but tsx`);
  });

  test("but not by a model without decorators", async () => {
    write({ ...decorated, "model.ts": model("return X.A", "/**\n * @returns 5\n */\nenum X { A = 5 }") });
    expect(await load()).toMatchObject({ result: 5, noise: "" });
  });

  test("the API stays one, and stacks point into the source", async () => {
    write({
      "model.ts": `import { Tensor } from "triton-typescript";\nimport other from "./c.cjs";\nenum X { A }\n\nexport default class M {\n  execute() {\n    throw new Error(String(Tensor === other) + X.A);\n  }\n}\n`,
      "c.cjs": `module.exports = require("triton-typescript").Tensor;`,
    });
    const { thrown } = await load();
    expect(thrown?.message).toBe("true0");
    expect(thrown?.stack).toMatch(/model\.ts:7:11/);
  });

  test("a project around the repository does not turn the model into CommonJS", async () => {
    write({ "package.json": `{"type":"commonjs"}`, "model.ts": model("return X.A", "enum X { A = 5 }") });
    expect((await load()).result).toBe(5);
  });

  test("LOADER tsx", async () => {
    write({ "model.ts": model("return X.A", "enum X { A = 5 }") });
    expect((await load({ loader: "tsx" })).result).toBe(5);
  });

  test("a LOADER from the model's own node_modules", async () => {
    write({
      "repository/m/node_modules/shout/package.json": `{"exports":{"./esm":"./esm.mjs"}}`,
      "repository/m/node_modules/shout/esm.mjs": `export async function load(url, context, next) {
        if (!url.endsWith("model.ts")) return next(url, context);
        return { format: "module", shortCircuit: true, source: "export default class S { execute() { return 'shouted' } }" };
      }`,
      "model.ts": "this is no TypeScript at all",
    });
    expect(await load({ loader: "shout/esm" })).toMatchObject({ result: "shouted", noise: "" });
  });

  const shouting = `export async function load(url, context, next) {
    const result = await next(url, context);
    return { ...result, source: String(result.source).replace("quiet", "shouted") };
  }`;

  test("a LOADER that is a file of the model", async () => {
    write({ "model.ts": model("return 'quiet'"), "repository/m/hooks/shout.mjs": shouting });
    expect((await load({ loader: "./hooks/shout.mjs" })).result).toBe("shouted");
    expect(await load({ loader: "./hooks/absent.mjs" })).toMatchObject({ code: "NOT_FOUND" });
  });

  test("a LOADER from elsewhere is refused, unless the server allows it", async () => {
    write({ "model.ts": model("return 'quiet'"), "elsewhere/hooks.mjs": shouting });
    const file = join(root, "elsewhere/hooks.mjs");
    const code = `data:text/javascript,${encodeURIComponent(shouting)}`;
    const named = [file, `file://${file}`, "../../../elsewhere/hooks.mjs", "./../m/hooks.mjs", "..", ".", "/", "./"];
    const hidden = [code, "node:fs", "a/../../b", "a/%2e%2e/b", "a\\..\\b", "a//b", "#a", "http://a/b.mjs"];
    const message = expect.stringContaining("allow-node-path=true");
    // Refused before anything is loaded, so that this process can ask.
    for (const loader of [...named, ...hidden]) {
      await expect(loadModel(folder.options({ loader })), loader).rejects.toMatchObject({
        code: "INVALID_ARG",
        message,
      });
    }
    expect((await load({ loader: code, anyLoader: true })).result).toBe("shouted");
    expect((await load({ loader: file, anyLoader: true })).result).toBe("shouted");
  });

  test("a LOADER that is not there", async () => {
    write({ "model.ts": model("return 1") });
    const report = await load({ loader: "ts-node/esm" });
    expect(report).toMatchObject({ ours: true, code: "NOT_FOUND" });
    expect(report.message).toContain("LOADER 'ts-node/esm'");
    expect(report.message).toContain(join(root, "repository/m/1"));
  });
});

describe("a package that brings models along", () => {
  const inPackage = (folder = "node_modules/x/model_repository") => ({
    versionDir: join(root, folder, "m/1"),
    modelDir: join(root, folder, "m"),
    repositoryDir: join(root, folder),
  });

  test("its models are read by type stripping, with all that they may import", async () => {
    write({
      "node_modules/x/model_repository/m/1/model.ts": model(
        "return [sibling, common.v, Tensor === common.Tensor, typeof Command, process.execArgv.length]",
        `import { Tensor, type TritonModel } from "triton-typescript"; import { Command } from "commander";
         import { sibling } from "../lib/sibling.mts"; import common from "./c.cjs";`,
      ),
      "node_modules/x/model_repository/m/lib/sibling.mts": "export const sibling: number = 7;",
      "node_modules/x/model_repository/m/1/c.cjs":
        'const v = 8; module.exports = { v, Tensor: require("triton-typescript").Tensor };',
    });
    expect(await load(inPackage())).toMatchObject({ result: [7, 8, true, "function", 2], noise: "" });
    symlinkSync(join(root, "node_modules/x/model_repository"), join(root, "linked"));
    expect(await load(inPackage("linked"))).toMatchObject({ result: [7, 8, true, "function", 2], noise: "" });
  });

  test("a link to one file, as the folder of a backend has it", async () => {
    write({
      "node_modules/x/backends/b/model.ts": model("return s", `import { s } from "./s.ts";`),
      "node_modules/x/backends/b/s.ts": "export const s: number = 9;",
      "made/b/place": "",
    });
    symlinkSync(join(root, "node_modules/x/backends/b/model.ts"), join(root, "made/b/model.ts"));
    const folder = join(root, "made/b");
    expect(await load({ versionDir: folder, backendDir: folder })).toMatchObject({ result: 9, noise: "" });
  });

  test("what stripping cannot read is compiled", async () => {
    const file = "node_modules/x/model_repository/m/1/model.ts";
    write({ [file]: model("return X.A", "enum X { A = 5 }") });
    expect(await load(inPackage())).toMatchObject({ result: 5, noise: "" });
    write({ [file]: model("return 6", `import { TritonModel, Tensor } from "triton-typescript";`) });
    expect(await load(inPackage())).toMatchObject({ result: 6, noise: "" });
  });

  test("a syntax error has its spot", async () => {
    const file = "node_modules/x/model_repository/m/1/model.ts";
    write({ [file]: "export default class M {\n  execute() {\n    let x = = 3;\n  }\n}\n" });
    const report = await load(inPackage());
    expect(report).toMatchObject({ ours: true, code: "INVALID_ARG" });
    expect(report.message).toContain(`${join(root, file)}:3:13: `);
    expect(report.message).toContain("    let x = = 3;\n            ^");
  });

  test.each(["node_modules/other", "node_modules/x/model_repository/node_modules/other"])(
    "TypeScript of %s is refused as Node does",
    async (folder) => {
      write({
        "node_modules/x/model_repository/m/1/model.ts": model("return o", `import { o } from "other";`),
        [`${folder}/package.json`]: '{"type":"module","exports":"./index.ts"}',
        [`${folder}/index.ts`]: "export const o: number = 1;",
      });
      expect((await load(inPackage())).message).toContain("Stripping types is currently unsupported for files under");
    },
  );
});
