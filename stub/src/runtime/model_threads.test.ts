// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PRELOAD_KEY } from "./model_threads.ts";
import { ModelFolder, PRELOAD } from "./testing/model_folder.ts";

let folder: ModelFolder;
beforeEach(() => {
  folder = new ModelFolder();
});
afterEach(() => folder.remove());

/** A model that answers with what its thread posts first, or with its error. */
const model = (
  head = "",
  thread = 'new URL("./thread.ts", import.meta.url)',
) => `import { Worker } from "node:worker_threads";
${head}
const thread = new Worker(${thread});
const said = new Promise((resolve) => {
  thread.once("message", resolve);
  thread.once("error", (error) => resolve(error.message));
});
export default class Model {
  async execute() {
    const result: unknown = await said;
    await thread.terminate();
    return result;
  }
}
`;
const post = (value: string, head = "") => `import { parentPort } from "node:worker_threads";
${head}
parentPort!.postMessage(${value});
`;
const usesApi = post(
  'new Tensor("A", Int32Array.of(helper), [1]).datatype + helper',
  'import { Tensor, type InferenceRequest } from "triton-typescript";\nimport { helper } from "./helper.ts";',
);
const helper = { "helper.ts": "export const helper: number = 7;" };

test("the words of --import look for the file under the name that the main thread gives it", () => {
  expect(PRELOAD).toContain(`getEnvironmentData('${PRELOAD_KEY}')`);
});

describe("a worker thread imports as the main thread does", () => {
  test("the API, types that are stripped, and packages of the install", async () => {
    folder.write({ "model.ts": model(), "thread.ts": usesApi, ...helper });
    expect(await folder.load()).toMatchObject({ result: "INT327", noise: "" });
    folder.write({ "thread.ts": post("typeof Command", 'import { Command } from "commander";') });
    expect(await folder.load()).toMatchObject({ result: "function", noise: "" });
  });

  test.each([
    ["the thread needs a compiler", ""],
    ["so does the model", "enum K { A }"],
  ])("tsx, when %s", async (_name, head) => {
    const thread = post("h + X.A", 'import { helper as h } from "./helper";\nenum X { A = 5 }');
    folder.write({ "model.ts": model(head), "thread.ts": thread, ...helper });
    expect(await folder.load()).toMatchObject({ result: 12, noise: "" });
  });

  test("LOADER", async () => {
    folder.write({
      "model.ts": model(),
      "thread.ts": "this is no TypeScript at all",
      "repository/m/node_modules/shout/package.json": `{"exports":{"./esm":"./esm.mjs"}}`,
      "repository/m/node_modules/shout/esm.mjs": `let loads = 0;
        export async function load(url, context, next) {
        if (!url.endsWith("thread.ts")) return next(url, context);
        const source = 'import { parentPort } from "node:worker_threads"; parentPort.postMessage("shouted " + ' + ++loads + ");";
        return { format: "module", shortCircuit: true, source };
      }`,
    });
    expect(await folder.load({ loader: "shout/esm" })).toMatchObject({ result: "shouted 1", noise: "" });
  });

  test("a thread of a thread", async () => {
    folder.write({
      "model.ts": model(),
      "thread.ts": `import { parentPort, Worker } from "node:worker_threads";
        new Worker(new URL("./inner.ts", import.meta.url)).once("message", (it) => parentPort!.postMessage(it));`,
      "inner.ts": usesApi,
      ...helper,
    });
    expect(await folder.load()).toMatchObject({ result: "INT327", noise: "" });
  });
});

test("its code runs once, and its errors say where", async () => {
  folder.write({
    "model.ts": model(),
    "thread.ts": post("(globalThis.runs = (globalThis.runs ?? 0) + 1)"),
  });
  expect(await folder.load()).toMatchObject({ result: 1, noise: "" });
  folder.write({ "thread.ts": "\nlet x = = 3;" });
  const { result } = await folder.load();
  expect(result).toContain(`because of a syntax error at ${join(folder.root, "repository/m/1/thread.ts")}:2:9: `);
});

test("threads of JavaScript, CommonJS and packages are Node's", async () => {
  const commonJs =
    'require("node:worker_threads").parentPort.postMessage([require.main === module, __filename.slice(-9)]);';
  folder.write({ "model.ts": model("", 'new URL("./thread.js", import.meta.url)'), "thread.js": commonJs });
  expect(await folder.load()).toMatchObject({ result: [true, "thread.js"], noise: "" });
  folder.write({
    "model.ts": model("", "'require(\"node:worker_threads\").parentPort.postMessage(5)', { eval: true }"),
  });
  expect(await folder.load()).toMatchObject({ result: 5, noise: "" });
  folder.write({
    "model.ts": model("", 'new URL("../../node_modules/pool/thread.cjs", import.meta.url)'),
    "repository/node_modules/pool/thread.cjs": `const { parentPort } = require("node:worker_threads");
      import(${JSON.stringify(join(folder.root, "repository/m/1/task.ts"))}).then(({ task }) => parentPort.postMessage(task));`,
    "task.ts": 'import { Tensor } from "triton-typescript"; export const task: string = Tensor.name;',
  });
  expect(await folder.load()).toMatchObject({ result: "Tensor", noise: "" });
});

test.each(["task.ts", "/absent/task.ts"])(
  "a thread of code may have the argument %s, which is no file of it",
  async (argument) => {
    const code = 'import { parentPort } from "node:worker_threads"; parentPort.postMessage(process.argv[1]);';
    const url = `data:text/javascript,${encodeURIComponent(code)}`;
    folder.write({ "model.ts": model("", `new URL(${JSON.stringify(url)}), { argv: ["${argument}"] }`) });
    expect(await folder.load()).toMatchObject({ result: argument, noise: "" });
  },
);
