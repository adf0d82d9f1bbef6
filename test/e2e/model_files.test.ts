// SPDX-License-Identifier: Apache-2.0
// The forms in which a model's code may come, and its versions.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageRoot } from "../../server/package_root.ts";
import {
  addModel,
  inferJson,
  type ModelSpec,
  type Protocol,
  requestJson,
  startServer,
  type TestServer,
  TritonClient,
  tensor,
  texts,
  values,
} from "./harness/index.ts";

const run = promisify(execFile);

const config = (more = "") => `
backend: "typescript"
max_batch_size: 0
input [ { name: "IN", data_type: TYPE_STRING, dims: [ -1 ], optional: true } ]
output [ { name: "OUT", data_type: TYPE_STRING, dims: [ 1 ] } ]
${more}`;

/** The code of a model that answers with the value of an expression. */
const says = (
  expression: string,
  before = "",
  head = 'import { InferenceResponse, Tensor } from "triton-typescript";',
) => `
${head}
${before}
export default class Says {
  execute(requests: readonly unknown[]) {
    return requests.map(() => new InferenceResponse([new Tensor("OUT", [String(${expression})], [1])]));
  }
}`;

const inJavaScript = (code: string) => code.replace(": readonly unknown[]", "");

const model = (name: string, files: Record<string, string>, more = ""): ModelSpec => ({
  name,
  config: config(more),
  files,
});

const version = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`${i + 1}/model.ts`, says(`"version ${i + 1}"`)]));

const esmPackage = { "package.json": '{"name":"greeting","version":"1.0.0","type":"module","exports":"./index.js"}' };

const models: ModelSpec[] = [
  model("ts", { "1/model.ts": says('"ts" as string satisfies string') }),
  model("mts", { "1/model.mts": says('"mts" as string') }),
  model("js", { "1/model.js": inJavaScript(says('"js"')) }),
  model("mjs", { "1/model.mjs": inJavaScript(says('"mjs"')) }),
  model("prefers_ts", { "1/model.ts": says('"ts"'), "1/model.js": inJavaScript(says('"js"')) }),
  model("named", { "1/model.ts": says('"named"').replace("default class Says", "class TritonModel") }),
  model("commonjs", {
    "1/model.js": `
const { InferenceResponse, Tensor } = require("triton-typescript");
const { word } = require("./word");
exports.TritonModel = class {
  execute(requests) {
    return requests.map(() => new InferenceResponse([new Tensor("OUT", [word], [1])]));
  }
};`,
    "1/word.js": 'exports.word = "commonjs";',
  }),
  model("json", {
    "1/model.ts": says("words.first + words.list.length", 'import words from "./words.json" with { type: "json" };'),
    "1/words.json": '{ "first": "json", "list": [1, 2, 3] }',
  }),
  model("sibling", {
    "1/model.ts": says(
      "first() + second",
      'import { first } from "./first.ts";\nimport { second } from "../second.ts";',
    ),
    "1/first.ts": "export function first(): string { return 'si'; }",
    "second.ts": "export const second: string = 'bling';",
  }),
  model("own_package", {
    "1/model.ts": says("greeting", 'import { greeting } from "greeting";'),
    "1/node_modules/greeting/index.js": 'export const greeting = "from the version folder";',
    "1/node_modules/greeting/package.json": esmPackage["package.json"],
  }),
  model("shared_package", {
    "1/model.ts": says("greeting", 'import { greeting } from "greeting";'),
    "node_modules/greeting/index.js": 'export const greeting = "from the model folder";',
    "node_modules/greeting/package.json": esmPackage["package.json"],
  }),
  model("compiled", {
    "1/model.ts": says(
      'Colour[Colour.Green] + new Point(3).x + log.join("")',
      `
enum Colour { Red, Green }
const log: string[] = [];
class Point { constructor(readonly x: number) {} }
function traced(value: unknown, context: { name: string | symbol }) { log.push(String(context.name)); return value; }
class Decorated { @traced act() {} }
void Decorated;`,
    ),
  }),
  model(
    "jsx_file",
    { "1/main.tsx": says("Colour[Colour.Green]", "enum Colour { Red, Green }") },
    'default_model_filename: "main.tsx"',
  ),
  model("thread", {
    "1/model.ts": says(
      "said",
      `
import { once } from "node:events";
import { Worker } from "node:worker_threads";
const thread = new Worker(new URL("./thread.ts", import.meta.url));
const [said] = await once(thread, "message");
await thread.terminate();`,
    ),
    "1/thread.ts": `
import { parentPort } from "node:worker_threads";
import { Tensor } from "triton-typescript";
import { Colour } from "./colour";
parentPort!.postMessage(new Tensor("A", new Float32Array(1), [1]).datatype + " " + Colour[Colour.Green]);`,
    "1/colour.ts": "export enum Colour { Red, Green }",
  }),
  model("extensionless", {
    "1/model.ts": says("word", 'import { word } from "./word";'),
    "1/word.ts": "export const word = 'extensionless';",
  }),
  model("filename", { "1/code/main.ts": says('"code/main.ts"') }, 'default_model_filename: "code/main.ts"'),
  model("latest", version(3)),
  model("latest_two", version(3), "version_policy { latest { num_versions: 2 } }"),
  model("all", version(3), "version_policy { all { } }"),
  model("specific", version(3), "version_policy { specific { versions: [ 1, 3 ] } }"),
  model(
    "checked",
    { "1/model.ts": says('"checked"') },
    'parameters { key: "TYPE_CHECK" value { string_value: "true" } }',
  ),
  model(
    "ill_typed",
    { "1/model.ts": says("wrong", "const wrong: string = 5 * 2;") },
    'parameters { key: "TYPE_CHECK" value { string_value: "true" } }',
  ),
  model("unchecked", { "1/model.ts": says("wrong", "const wrong: string = 5 * 2;") }),
  model("tsx", { "1/model.ts": says('"tsx"') }, 'parameters { key: "LOADER" value { string_value: "tsx" } }'),
  model(
    "wrong_loader",
    { "1/model.ts": says('"x"') },
    'parameters { key: "LOADER" value { string_value: "no-such-loader" } }',
  ),
  model("missing", { "1/readme.txt": "" }),
  model("outside", { "1/model.ts": says('"x"') }, 'default_model_filename: "../../ts/1/model.ts"'),
  model("syntax", { "1/model.ts": "export default class {\n  execute( { return [] }\n}\n" }),
  model("no_export", { "1/model.ts": "export const answer = 42;\n" }),
  model("no_class", { "1/model.ts": "export default { execute() { return []; } };\n" }),
  model("no_execute", { "1/model.ts": "export default class Empty { initialize() {} }\n" }),
  model("throws_at_load", { "1/model.ts": "throw new Error('no weights');\nexport default class {}\n" }),
  model("bad_import", {
    "1/model.ts": 'import { x } from "no-such-package";\nexport default class { execute() { return x; } }\n',
  }),
  model("bad_constructor", {
    "1/model.ts": says('"x"').replace(
      "{\n  execute",
      "{\n  constructor() { throw new Error('in constructor'); }\n  execute",
    ),
  }),
  model("bad_initialize", {
    "1/model.ts": says('"x"').replace(
      "{\n  execute",
      "{\n  async initialize() { throw new Error('no licence'); }\n  execute",
    ),
  }),
];

let server: TestServer;
let client: TritonClient;
let index: { name: string; version?: string; state: string; reason?: string }[];

beforeAll(async () => {
  server = await startServer({ models });
  client = new TritonClient(server);
  index = (await requestJson(`${server.url}/v2/repository/index`, {})).body;
});

const answer = async (name: string, wanted?: number, protocol: Protocol = "grpc") =>
  texts((await client.infer(protocol, name, { inputs: [], version: wanted })).output("OUT"))[0];

const reason = (name: string) => {
  const entry = index.find((each) => each.name === name);
  expect(entry?.state).toBe("UNAVAILABLE");
  return entry?.reason;
};

describe("a model's file", () => {
  const cases = [
    ["ts", "ts"],
    ["mts", "mts"],
    ["js", "js"],
    ["mjs", "mjs"],
    ["prefers_ts", "ts"],
    ["named", "named"],
    ["commonjs", "commonjs"],
    ["json", "json3"],
    ["sibling", "sibling"],
    ["own_package", "from the version folder"],
    ["shared_package", "from the model folder"],
    ["compiled", "Green3act"],
    ["extensionless", "extensionless"],
    ["filename", "code/main.ts"],
    ["checked", "checked"],
    ["unchecked", "10"],
    ["tsx", "tsx"],
    ["jsx_file", "Green"],
    ["thread", "FP32 Green"],
  ] as const;

  test.each(cases)("%s works", async (name, expected) => {
    expect(await answer(name)).toBe(expected);
  });
});

describe("a model that cannot be loaded says why", () => {
  const cases: [string, RegExp][] = [
    ["missing", /No model file was found\. Looked for '.*\/missing\/1\/model\.ts', .*model\.mjs'/],
    ["outside", /default_model_filename '\.\.\/\.\.\/ts\/1\/model\.ts' leads out of the version folder/],
    ["syntax", /\/syntax\/1\/model\.ts:2:\d+/],
    ["no_export", /\/no_export\/1\/model\.ts' must export its class .* but it exports 'answer'/],
    ["no_class", /\/no_class\/1\/model\.ts' must be a class/],
    ["no_execute", /class 'Empty' .*\/no_execute\/1\/model\.ts' has no method 'execute'/],
    ["throws_at_load", /no weights/],
    ["bad_import", /no-such-package/],
    ["bad_constructor", /in constructor/],
    ["bad_initialize", /no licence/],
    ["ill_typed", /\/ill_typed\/1\/model\.ts[:(]3[:,]\d+.*Type 'number' is not assignable to type 'string'/s],
    ["wrong_loader", /no-such-loader/],
  ];

  test.each(cases)("%s", (name, pattern) => {
    expect(reason(name)).toMatch(pattern);
  });

  test("and no other model is touched by it", () => {
    const bad = new Set(cases.map(([name]) => name));
    const unexpected = index.filter(
      ({ name, state, reason: why }) => !bad.has(name) && state !== "READY" && why !== "unloaded",
    );
    expect(unexpected).toEqual([]);
  });

  test("and the log has the stack in the model's file", () => {
    expect(server.log()).toMatch(/Error: no licence/);
    expect(server.log()).toMatch(/initialize .*bad_initialize\/1\/model\.ts:5:\d+/);
  });
});

describe("versions", () => {
  const versions = async (name: string) => (await requestJson(`${server.url}/v2/models/${name}`)).body.versions.sort();

  test("only the latest is served by default", async () => {
    expect(await versions("latest")).toEqual(["3"]);
    expect(await answer("latest")).toBe("version 3");
    await expect(answer("latest", 2)).rejects.toThrow(/not at ready state|not found|no available/);
  });

  test("version_policy latest serves so many", async () => {
    expect(await versions("latest_two")).toEqual(["2", "3"]);
    expect(await Promise.all([answer("latest_two", 2), answer("latest_two", 3)])).toEqual(["version 2", "version 3"]);
  });

  test("version_policy all serves each", async () => {
    expect(await versions("all")).toEqual(["1", "2", "3"]);
    expect(await Promise.all([1, 2, 3].map((each) => answer("all", each)))).toEqual([
      "version 1",
      "version 2",
      "version 3",
    ]);
    expect(await answer("all")).toBe("version 3");
  });

  test("version_policy specific serves those named", async () => {
    expect(await versions("specific")).toEqual(["1", "3"]);
    expect(await answer("specific", 1, "http")).toBe("version 1");
  });
});

describe("another loader", () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "triton-typescript-loader-"));

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("ts-node of the model's own node_modules compiles the model", async ({ skip }) => {
    const packages = ["ts-node@10.9.2", "typescript@5.9.3", "@types/node@22.10.0"];
    const flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"];
    const modelFolder = path.join(folder, "by_ts_node");
    addModel(
      folder,
      model(
        "by_ts_node",
        {
          "1/model.ts": says("Colour[Colour.Blue]", "enum Colour { Blue = 4 }"),
          "1/tsconfig.json": `{ "compilerOptions": { "module": "NodeNext", "target": "ES2022", "strict": false },
            "ts-node": { "transpileOnly": true } }`,
          "package.json": '{ "type": "module", "private": true }',
        },
        'parameters { key: "LOADER" value { string_value: "ts-node/esm" } }',
      ),
    );
    try {
      await run("npm", ["install", ...flags, ...packages], { cwd: modelFolder });
    } catch (error) {
      console.warn(`Skipped: npm could not install ${packages.join(", ")} (${(error as Error).message.slice(0, 300)})`);
      skip("npm could not install ts-node, see the reason above");
    }
    const other = await startServer({ repository: folder });
    const { body } = await requestJson(`${other.url}/v2/repository/index`, {});
    expect(body).toEqual([{ name: "by_ts_node", version: "1", state: "READY" }]);
    const reply = await inferJson(other, "by_ts_node", { inputs: [] });
    expect(reply.body.outputs[0].data).toEqual(["Blue"]);
    await other.stop();
  });
});

test("the example of the guide works as it is written", async () => {
  const other = await startServer({
    repository: path.join(packageRoot, "model_repository"),
    modelControlMode: "explicit",
    loadModels: ["add_sub"],
  });
  const numbers = Array.from({ length: 16 }, (_, i) => i / 2);
  const input = (name: string, data: number[]) => tensor(name, "FP32", data, [1, 16]);
  const python = new TritonClient(other);
  for (const protocol of ["http", "grpc"] as const) {
    const reply = await python.infer(protocol, "add_sub", {
      inputs: [
        input("INPUT0", numbers),
        input(
          "INPUT1",
          numbers.map(() => 3),
        ),
      ],
    });
    expect(values(reply.output("OUTPUT0"))).toEqual(numbers.map((value) => value + 3));
    expect(values(reply.output("OUTPUT1"))).toEqual(numbers.map((value) => value - 3));
  }
  await other.stop();
});
