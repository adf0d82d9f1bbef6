// SPDX-License-Identifier: Apache-2.0
// Where a model lies, and what it gets of the server that it runs in: one server, with a relative repository of links.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inferJson, requestJson, startServer, type TestServer } from "./harness/index.ts";

const scratch = realpathSync(mkdtempSync(path.join(os.tmpdir(), "triton-typescript-places-")));
const repository = path.join(scratch, "models");
let server: TestServer;

/** A model that answers with the value of an expression, all of whose files are links into a store. */
function addLinked(name: string, parameters: string, files: Record<string, string>): void {
  const config = `backend: "typescript"
output [ { name: "OUT", data_type: TYPE_STRING, dims: [ -1 ] } ]
${parameters}`;
  for (const [index, [file, text]] of Object.entries({ "config.pbtxt": config, ...files }).entries()) {
    const stored = path.join(scratch, "store", `${name}${index}`, "0123abcd");
    const place = path.join(repository, name, file);
    for (const folder of [stored, place].map((of) => path.dirname(of))) mkdirSync(folder, { recursive: true });
    writeFileSync(stored, text);
    symlinkSync(stored, place);
  }
}

const says = (values: string, head = "") => `
import { createRequire } from "node:module";
import { type InferenceRequest, InferenceResponse, type InitializeArgs, Tensor } from "triton-typescript";
${head}
export default class Says {
  declare args: InitializeArgs;
  initialize(args: InitializeArgs) { this.args = args; }
  execute(requests: readonly InferenceRequest[]) {
    const { args } = this;
    const values: string[] = (${values}).map(String);
    return requests.map(() => new InferenceResponse([new Tensor("OUT", values, [values.length])]));
  }
}`;

async function answer(model: string): Promise<string[]> {
  const { body } = await inferJson(server, model, { inputs: [] });
  return body.outputs?.[0].data ?? body;
}

beforeAll(async () => {
  addLinked("linked", "", {
    "1/model.ts": says(
      "[helper, args.modelRepository, args.modelDir, import.meta.filename, typeof require('commander').Command, require('./table')[0]]",
      `import { helper } from "./lib/helper.ts"; const require = createRequire(import.meta.url);`,
    ),
    "1/lib/helper.ts": 'export const helper: string = "helper";',
    "1/table.json": '["table"]',
  });
  const asked = 'parameters { key: "ENVIRONMENT" value { string_value: "MODEL_*" } }';
  addLinked("environment", asked, {
    "1/model.ts": says(
      `["SERVER_PASSWORD", "BACKEND_TOKEN", "MODEL_TOKEN", "HF_TOKEN", "HF_HOME", "PATH"].map((name) => process.env[name] ?? "-")`,
    ),
  });
  server = await startServer({
    repository: path.relative(process.cwd(), repository),
    backendConfig: [
      "typescript,environment=NOT_SET,BACKEND_*",
      "typescript,allow-environment=MODEL_*",
      "typescript,protect-memory=true",
    ],
    args: ["--exit-on-error=false"],
    env: { SERVER_PASSWORD: "a", BACKEND_TOKEN: "b", MODEL_TOKEN: "c", HF_TOKEN: "d", HF_HOME: "e" },
  });
});

afterAll(async () => {
  await server?.stop();
  rmSync(scratch, { recursive: true, force: true });
});

test("a relative repository of links is served under its full names", async () => {
  const { body } = await requestJson(`${server.url}/v2/repository/index`, {});
  expect(body).toMatchObject([{ state: "READY" }, { state: "READY" }]);
  const folder = path.join(repository, "linked");
  const file = path.join(folder, "1/model.ts");
  expect(await answer("linked")).toEqual(["helper", folder, path.join(folder, "1"), file, "function", "table"]);
});

test("a model gets of the server's environment what programs need, and what was asked for", async () => {
  expect(await answer("environment")).toEqual(["-", "b", "c", "-", "e", process.env["PATH"]]);
});
