// SPDX-License-Identifier: Apache-2.0
import { beforeAll, describe, expect, test } from "vitest";
import {
  type Datatype,
  identityInput,
  identityOutput,
  identitySamples,
  inferBinary,
  inferJson,
  type Protocol,
  startServer,
  type TestServer,
  TritonClient,
  tensor,
  texts,
} from "./harness/index.ts";

let server: TestServer;
let client: TritonClient;

beforeAll(async () => {
  const shaped = `
backend: "typescript"
input [ { name: "INPUT_INT32", data_type: TYPE_INT32, dims: [ 2, -1, 1, 4 ] } ]
output [ { name: "OUTPUT_INT32", data_type: TYPE_INT32, dims: [ 2, -1, 1, 4 ] } ]`;
  server = await startServer({ models: ["identity", { name: "shaped", fixture: "identity", config: shaped }] });
  client = new TritonClient(server);
});

const protocols: Protocol[] = ["http", "grpc"];

describe.each(protocols)("over %s", (protocol) => {
  test.each(identitySamples)("%s comes back bit by bit", async (_, sent) => {
    const outputs = [sent.name.replace("INPUT", "OUTPUT")];
    const reply = await client.infer(protocol, "identity", { inputs: [sent], outputs });
    expect(reply.outputs).toEqual([identityOutput(sent)]);
  });

  test("all datatypes travel in one request", async () => {
    const sent = identitySamples.map(([, each]) => each);
    const reply = await client.infer(protocol, "identity", { inputs: sent });
    expect(new Map(reply.outputs.map((output) => [output.name, output]))).toEqual(
      new Map(sent.map((each) => [identityOutput(each).name, identityOutput(each)])),
    );
  });

  test.each(identitySamples.map(([datatype]) => datatype))("%s may have no elements", async (datatype) => {
    const sent = identityInput(datatype, [], [0]);
    const reply = await client.infer(protocol, "identity", { inputs: [sent], outputs: [`OUTPUT_${datatype}`] });
    expect(reply.outputs).toEqual([identityOutput(sent)]);
  });

  test("16 MiB come back", async () => {
    const data = Float32Array.from({ length: 4 << 20 }, (_, i) => i);
    const sent = identityInput("FP32", data);
    const reply = await client.infer(protocol, "identity", { inputs: [sent], outputs: ["OUTPUT_FP32"] });
    const found = reply.output("OUTPUT_FP32").data as Float32Array;
    expect(Buffer.from(found.buffer).equals(Buffer.from(data.buffer))).toBe(true);
  });

  test("100 000 texts come back", async () => {
    const words = Array.from({ length: 100_000 }, (_, i) => "ab ".repeat(i % 20) + i);
    const reply = await client.infer(protocol, "identity", {
      inputs: [identityInput("BYTES", words)],
      outputs: ["OUTPUT_BYTES"],
    });
    expect(texts(reply.output("OUTPUT_BYTES")).join("|") === words.join("|")).toBe(true);
  });
});

describe("plain HTTP", () => {
  test.each(identitySamples)("carries %s in the binary extension", async (_, sent) => {
    const expected = identityOutput(sent);
    const reply = await inferBinary(server, "identity", [sent], {}, [expected.name]);
    expect(reply.status).toBe(200);
    expect(reply.outputs).toEqual([expected]);
  });

  const asJson: [Datatype, unknown[]][] = [
    ["BOOL", [true, false, true]],
    ["INT8", [-128, 127]],
    ["INT64", [-5, 9007199254740991]],
    ["UINT8", [0, 255]],
    ["UINT64", [0, 9007199254740991]],
    ["FP32", [0.5, -2]],
    ["FP64", [0.1, 1e300]],
    ["BYTES", ["", "zwölf", 'quote " and \\ back', "🚦"]],
  ];

  test.each(asJson)("carries %s as JSON", async (datatype, data) => {
    const reply = await inferJson(server, "identity", {
      inputs: [{ name: `INPUT_${datatype}`, datatype, shape: [data.length], data }],
      outputs: [{ name: `OUTPUT_${datatype}` }],
    });
    expect(reply.body.outputs).toEqual([{ name: `OUTPUT_${datatype}`, datatype, shape: [data.length], data }]);
  });
});

describe("the shape of a tensor", () => {
  const infer = (shape: readonly number[], count: number) =>
    client.infer("grpc", "shaped", { inputs: [tensor("INPUT_INT32", "INT32", new Int32Array(count), shape)] });

  test("may have any rank that the configuration says", async () => {
    const reply = await infer([2, 3, 1, 4], 24);
    expect(reply.output("OUTPUT_INT32").shape).toEqual([2, 3, 1, 4]);
  });

  test("may have a dimension of 0", async () => {
    const reply = await infer([2, 0, 1, 4], 0);
    expect(reply.outputs).toEqual([tensor("OUTPUT_INT32", "INT32", [], [2, 0, 1, 4])]);
  });

  test.each([[[2, 3, 4]], [[1, 2, 3, 1, 4]], [[3, 3, 1, 4]]])("%j is refused", async (shape) => {
    const count = shape.reduce((product, size) => product * size, 1);
    await expect(infer(shape, count)).rejects.toThrow(/unexpected shape|shape/);
  });
});
