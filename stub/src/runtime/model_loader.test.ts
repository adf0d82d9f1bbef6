// SPDX-License-Identifier: Apache-2.0
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { pickModelClass } from "./model_loader.ts";
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
    expect(missing.message).not.toContain("1/model.ts");
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
    expect(() => pick({ default: Field })).toThrow(
      "no method 'execute' and no method 'stream'. It has no methods; a field",
    );
  });

  test("what it has in place of execute is named", () => {
    class Model {
      load() {}
      excute() {}
    }
    expect(() => pick({ default: Model })).toThrow(
      "'stream'. It has 'load', 'excute' (is 'execute' meant?). Add execute(",
    );
  });

  test("a method that nothing calls, because it is nearly right, is a warning in the log", async () => {
    write({ "model.ts": "export default class { initialise() {} execute() { return 1; } }" });
    const report = await load();
    expect(report.result).toBe(1);
    expect(report.noise).toContain(
      "The model class has a method 'initialise', which nothing calls. Is 'initialize' meant?",
    );
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
