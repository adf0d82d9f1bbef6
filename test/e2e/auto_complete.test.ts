// SPDX-License-Identifier: Apache-2.0
import { beforeAll, describe, expect, test } from "vitest";
import {
  type ModelSpec,
  requestJson,
  startServer,
  type TestServer,
  TritonClient,
  tensor,
  values,
} from "./harness/index.ts";

/** A model that doubles its input, with this in its autoCompleteConfig. */
const model = (name: string, completion: string, config = 'backend: "typescript"', fields = ""): ModelSpec => ({
  name,
  config,
  files: {
    "1/model.ts": `
import { InferenceResponse, Tensor, TritonError } from "triton-typescript";
import type { AutoCompleteArgs, AutoCompleteConfig, InferenceRequest, InitializeArgs } from "triton-typescript";
export default class Doubler {
  ${fields}
  static ${completion.includes("await") ? "async " : ""}autoCompleteConfig(config: AutoCompleteConfig, args: AutoCompleteArgs) {
    ${completion}
  }
  initialize(args: InitializeArgs) { console.info("batch size", args.modelConfig.max_batch_size); }
  execute(requests: InferenceRequest[]) {
    return requests.map((request) => {
      const { data, shape } = request.input("IN", "FP32");
      return new InferenceResponse([new Tensor("OUT", data.map((value) => value * 2), shape)]);
    });
  }
}
void TritonError;`,
  },
});

const io = `
config.addInput({ name: "IN", data_type: "TYPE_FP32", dims: [-1] });
config.addOutput({ name: "OUT", data_type: "TYPE_FP32", dims: [-1] });`;

const fullConfig = `
backend: "typescript"
max_batch_size: 2
input [ { name: "IN", data_type: TYPE_FP32, dims: [ 3 ] } ]
output [ { name: "OUT", data_type: TYPE_FP32, dims: [ 3 ] } ]`;

const models: ModelSpec[] = [
  model("complete", `config.setMaxBatchSize(4); config.setDynamicBatching(); ${io}`),
  model("optional", `${io} config.addInput({ name: "MORE", data_type: "TYPE_STRING", dims: [1], optional: true });`),
  model("merged", `config.setMaxBatchSize(8); ${io.replaceAll("[-1]", "[3]")}`, fullConfig),
  model("returned", `${io} return config;`),
  model("asynchronous", `await Promise.resolve(); ${io}`),
  model("informed", `console.info("completing", args.modelName, args.modelVersion, args.modelDir); ${io}`),
  model(
    "counted",
    `${io} (globalThis as { times?: number }).times = 1;`,
    'backend: "typescript"',
    'times = console.info("process", process.pid, (globalThis as { times?: number }).times);',
  ),
  model("smaller_batch", `config.setMaxBatchSize(1); ${io}`, fullConfig),
  model("other_type", io.replace("TYPE_FP32", "TYPE_INT32"), fullConfig),
  model("other_shape", `config.setMaxBatchSize(2); ${io.replace("[-1]", "[4]")}`, fullConfig),
  model("unknown_key", 'config.addInput({ name: "IN", data_type: "TYPE_FP32", dims: [1], shape: [1] } as never);'),
  model("sequence", "config.setDynamicBatching();", `${fullConfig}\nsequence_batching { direct { } }`),
  model("decoupled", `${io} config.setModelTransactionPolicy({ decoupled: true });`),
  model("thrown", 'throw new TritonError("no weights found", "NOT_FOUND");'),
  model("wrong_return", `${io} return 5 as never;`),
];

let server: TestServer;
let client: TritonClient;

beforeAll(async () => {
  server = await startServer({ models });
  client = new TritonClient(server);
});

const configOf = async (name: string) => (await requestJson(`${server.url}/v2/models/${name}/config`)).body;

const reason = async (name: string) => {
  const { body } = await requestJson(`${server.url}/v2/repository/index`, {});
  const entry = body.find((each: { name: string }) => each.name === name);
  expect(entry.state).toBe("UNAVAILABLE");
  return entry.reason as string;
};

describe("autoCompleteConfig", () => {
  test("sets batch size, inputs, outputs and dynamic batching", async () => {
    const config = await configOf("complete");
    expect(config.max_batch_size).toBe(4);
    expect(config.dynamic_batching).toBeDefined();
    expect(config.input).toMatchObject([{ name: "IN", data_type: "TYPE_FP32", dims: [-1] }]);
    expect(config.output).toMatchObject([{ name: "OUT", data_type: "TYPE_FP32", dims: [-1] }]);
    const reply = await client.infer("http", "complete", { inputs: [tensor("IN", "FP32", [1, 2, 3, 4], [2, 2])] });
    expect(values(reply.output("OUT"))).toEqual([2, 4, 6, 8]);
    await server.waitForLog("[complete_0] batch size 4");
  });

  test("declares optional inputs", async () => {
    expect((await configOf("optional")).input[1]).toMatchObject({ name: "MORE", optional: true });
    const reply = await client.infer("grpc", "optional", { inputs: [tensor("IN", "FP32", [1])] });
    expect(values(reply.output("OUT"))).toEqual([2]);
  });

  test("makes a model stream, which then must not return what it answers", async () => {
    expect((await configOf("decoupled")).model_transaction_policy).toEqual({ decoupled: true });
    const [only] = await client.stream("decoupled", [{ inputs: [tensor("IN", "FP32", [1])] }]);
    expect(only).toMatchObject({ message: expect.stringContaining("is using the decoupled mode") });
  });

  test("agrees with what config.pbtxt says", async () => {
    const config = await configOf("merged");
    expect([config.max_batch_size, config.input[0].dims]).toEqual([8, [3]]);
  });

  test.each(["returned", "asynchronous", "informed"])("works when %s", async (name) => {
    const reply = await client.infer("http", name, { inputs: [tensor("IN", "FP32", [4])] });
    expect(values(reply.output("OUT"))).toEqual([8]);
  });

  test("learns where its model lies", async () => {
    await server.waitForLog(/\] completing informed 1 \S+\/informed\/1"/);
  });

  test("runs in the process of the first instance", async () => {
    await server.waitForLog(/\[counted_0\] process \d+ 1"/);
  });
});

describe("an autoCompleteConfig that cannot be followed fails the load", () => {
  test.each([
    ["smaller_batch", /max_batch_size 2, which is more than the 1 that the model sets/],
    ["other_type", /has data_type TYPE_FP32 for input 'IN', but the model sets TYPE_INT32/],
    ["other_shape", /has dims \[3\] for input 'IN', but the model sets \[4\]/],
    ["unknown_key", /unknown key 'shape'/],
    ["sequence", /chooses sequence_batching, so the model cannot choose dynamic_batching/],
    ["thrown", /no weights found/],
    ["wrong_return", /autoCompleteConfig.*number|autoCompleteConfig.*return/],
  ])("%s", async (name, pattern) => {
    expect(await reason(name)).toMatch(pattern);
  });
});

describe("--disable-auto-complete-config", () => {
  test("leaves the configuration as it is written", async () => {
    const other = await startServer({
      models: [model("merged", "throw new Error('must not run');", fullConfig), model("complete", io)],
      args: ["--disable-auto-complete-config"],
    });
    expect(await other.isModelReady("merged")).toBe(true);
    expect((await requestJson(`${other.url}/v2/models/merged/config`)).body.max_batch_size).toBe(2);
    expect((await requestJson(`${other.url}/v2/models/complete/config`)).body).toMatchObject({ input: [], output: [] });
    expect((await other.stop()).code).toBe(0);
  });
});
