// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadModel, pickModelClass } from "./model_loader.ts";
import { ModelFolder } from "./testing/model_folder.ts";

let folder: ModelFolder;
let root: string;
const write = (files: Record<string, string | Uint8Array>) => folder.write(files);
const load = (options?: Record<string, unknown>) => folder.load(options);

beforeEach(() => {
  folder = new ModelFolder();
  root = folder.root;
});

afterEach(() => folder.remove());

const model = (body: string, head = "") => `${head}\nexport default class Model { execute() { ${body} } }\n`;

describe("finding the file", () => {
  test("model.ts comes before the other names", async () => {
    write({ "model.ts": model("return 'ts'"), "model.js": model("return 'js'") });
    expect(await load()).toMatchObject({ file: join(root, "repository/m/1/model.ts"), result: "ts", noise: "" });
  });

  test.each(["model.mts", "model.js", "model.mjs"])("%s is found", async (name) => {
    write({ [name]: model("return import.meta.url") });
    expect((await load()).result).toContain(name);
  });

  test("default_model_filename is used alone", async () => {
    write({ "model.ts": model("return 1"), "other.ts": model("return 2") });
    expect((await load({ filename: "other.ts" })).result).toBe(2);
    const missing = await load({ filename: "third.ts" });
    expect(missing.message).toContain(`'${join(root, "repository/m/1/third.ts")}'`);
    expect(missing.message).not.toContain("model.ts");
  });

  test("a missing file names every path", async () => {
    mkdirSync(join(root, "repository/m/1"), { recursive: true });
    const report = await load();
    expect(report).toMatchObject({ ours: true, code: "NOT_FOUND" });
    for (const name of ["model.ts", "model.mts", "model.js", "model.mjs"]) {
      expect(report.message).toContain(`'${join(root, "repository/m/1", name)}'`);
    }
  });
});

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

describe("type check", () => {
  test("a model that is right loads", async () => {
    write({
      "model.ts": `import { InferenceResponse, Tensor, type InferenceRequest, type TritonModel } from "triton-typescript";
import { scale } from "./scale";
export default class M implements TritonModel {
  execute(requests: InferenceRequest[]) {
    return (requests ?? []).map((r) => new InferenceResponse([new Tensor("O", r.input("I", "FP32").data.map((x) => x * scale), [1])]));
  }
}`,
      "scale.ts": "export const scale: number = 2;",
    });
    expect(await load({ typeCheck: true })).toMatchObject({ result: [] });
  });

  test("a type error has file, line, column and number", async () => {
    write({
      "model.ts": `import { Tensor } from "triton-typescript";\nconst t: Tensor = 5;\nexport default class M { execute() { return [t] } }\n`,
    });
    expect((await load()).result).toEqual([5]);
    const report = await load({ typeCheck: true });
    expect(report).toMatchObject({ ours: true, code: "INVALID_ARG" });
    expect(report.message).toContain(`${join(root, "repository/m/1/model.ts")}(2,7): error TS2322: `);
  });

  test("the model's own tsconfig counts", async () => {
    write({
      "model.ts": "export default class M { execute(a) { return x } }\nimport { x } from '@lib/x';\n",
      "repository/m/lib/x.ts": "export const x: number = 5;",
      "repository/m/tsconfig.json": `{"compilerOptions":{"strict":false,"noUnusedParameters":true,"paths":{"@lib/*":["./lib/*"]}}}`,
    });
    expect((await load({ typeCheck: true })).result).toBe(5);
  });
});

describe("the class", () => {
  const pick = (exported: Record<string, unknown>) => pickModelClass(exported, "/m/1/model.ts");
  class Good {
    execute() {
      return [];
    }
  }

  test("is the default export, else TritonModel", () => {
    expect(pick({ default: Good })).toBe(Good);
    expect(pick({ TritonModel: Good })).toBe(Good);
    expect(pick({ default: { helper: 1 }, TritonModel: Good })).toBe(Good);
  });

  test("must be a class", () => {
    expect(() => pick({ default: 5 })).toThrow(
      "The export 'default' of the model file '/m/1/model.ts' must be a class",
    );
    expect(() => pick({ TritonModel: () => [] })).toThrow("The export 'TritonModel'");
    expect(() => pick({ default: function f() {} })).toThrow("must be a class, but is a function");
  });

  test("may have stream in place of execute, but not both", () => {
    class Streams {
      *stream() {}
    }
    class Both extends Good {
      *stream() {}
    }
    expect(pick({ default: Streams })).toBe(Streams);
    expect(() => pick({ default: Both })).toThrow("has both a method 'execute' and a method 'stream'");
    expect(() => pick({ default: { *stream() {} } })).toThrow("must be a class, but is an object");
  });

  test("must have execute or stream", () => {
    expect(() => pick({ default: class Idle {} })).toThrow("The class 'Idle' of the model file");
    class Field {
      execute = 5;
    }
    expect(() => pick({ default: Field })).toThrow("no method 'execute' and no method 'stream'");
  });

  test("autoCompleteConfig must be a method", () => {
    class Wrong extends Good {
      static autoCompleteConfig = 5;
    }
    expect(() => pick({ default: Wrong })).toThrow("must be a static method, but is a number");
  });

  test("outputShapes must be one of two words", () => {
    class Open extends Good {
      static outputShapes = "open";
    }
    class Wrong extends Good {
      static outputShapes = true;
    }
    expect(pick({ default: Open })).toBe(Open);
    expect(() => pick({ default: Wrong })).toThrow("must be 'configured' or 'open', but is a boolean");
  });
});
