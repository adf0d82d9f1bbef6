// SPDX-License-Identifier: Apache-2.0
import { beforeAll, describe, expect, test } from "vitest";
import {
  type Datatype,
  inferBinary,
  inferJson,
  type Protocol,
  startServer,
  type TestServer,
  TritonClient,
  tensor,
  texts,
  type WireTensor,
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

/** Values at the edges of each datatype; FP16 and BF16 are raw. */
const edges: Record<Exclude<Datatype, "BYTES">, readonly number[] | readonly bigint[]> = {
  BOOL: [0, 1, 1, 0, 1],
  INT8: [-128, -1, 0, 1, 127],
  INT16: [-32768, -1, 0, 1, 32767],
  INT32: [-(2 ** 31), -1, 0, 1, 2 ** 31 - 1],
  INT64: [-(2n ** 63n), -1n, 0n, 2n ** 53n + 1n, 2n ** 63n - 1n],
  UINT8: [0, 1, 254, 255],
  UINT16: [0, 1, 65534, 65535],
  UINT32: [0, 1, 2 ** 31, 2 ** 32 - 1],
  UINT64: [0n, 1n, 2n ** 53n + 1n, 2n ** 64n - 1n],
  FP16: [0x0000, 0x8000, 0x3c00, 0x7bff, 0x0001, 0x7c00, 0xfc00],
  BF16: [0x0000, 0x8000, 0x3f80, 0x7f7f, 0x0080, 0x7f80, 0xff80],
  FP32: [0, -0, 1.5, 3.4028234663852886e38, 1.401298464324817e-45, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  FP64: [0, -0, 1.5, Number.MAX_VALUE, Number.MIN_VALUE, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
};

const odd = [
  "",
  "a",
  "zwölf",
  "日本語 🚦",
  "line\nbreak\0nul",
  "x".repeat(100_000),
  new Uint8Array([0xff, 0xfe, 0, 0x80]),
];

const input = (datatype: Datatype, ...rest: [Parameters<typeof tensor>[2], number[]?]) =>
  tensor(`INPUT_${datatype}`, datatype, ...rest);

/** The same tensor under the output's name. */
const echoed = (sent: WireTensor) => ({ ...sent, name: sent.name.replace("INPUT", "OUTPUT") });

const inputs: [Datatype, WireTensor][] = [
  ...Object.entries(edges).map(([datatype, data]): [Datatype, WireTensor] => [
    datatype as Datatype,
    input(datatype as Datatype, data),
  ]),
  ["BYTES", input("BYTES", odd)],
];

describe.each(protocols)("over %s", (protocol) => {
  test.each(inputs)("%s comes back bit by bit", async (_, sent) => {
    const outputs = [sent.name.replace("INPUT", "OUTPUT")];
    const reply = await client.infer(protocol, "identity", { inputs: [sent], outputs });
    expect(reply.outputs).toEqual([echoed(sent)]);
  });

  test("all datatypes travel in one request", async () => {
    const sent = inputs.map(([, each]) => each);
    const reply = await client.infer(protocol, "identity", { inputs: sent });
    expect(new Map(reply.outputs.map((output) => [output.name, output]))).toEqual(
      new Map(sent.map((each) => [echoed(each).name, echoed(each)])),
    );
  });

  test.each(Object.keys(edges).concat("BYTES") as Datatype[])("%s may have no elements", async (datatype) => {
    const sent = input(datatype, [], [0]);
    const reply = await client.infer(protocol, "identity", { inputs: [sent], outputs: [`OUTPUT_${datatype}`] });
    expect(reply.outputs).toEqual([echoed(sent)]);
  });

  test("16 MiB come back", async () => {
    const data = Float32Array.from({ length: 4 << 20 }, (_, i) => i);
    const sent = input("FP32", data);
    const reply = await client.infer(protocol, "identity", { inputs: [sent], outputs: ["OUTPUT_FP32"] });
    const found = reply.output("OUTPUT_FP32").data as Float32Array;
    expect(Buffer.from(found.buffer).equals(Buffer.from(data.buffer))).toBe(true);
  });

  test("100 000 texts come back", async () => {
    const words = Array.from({ length: 100_000 }, (_, i) => "ab ".repeat(i % 20) + i);
    const reply = await client.infer(protocol, "identity", {
      inputs: [input("BYTES", words)],
      outputs: ["OUTPUT_BYTES"],
    });
    expect(texts(reply.output("OUTPUT_BYTES")).join("|") === words.join("|")).toBe(true);
  });
});

describe("plain HTTP", () => {
  test.each(inputs)("carries %s in the binary extension", async (_, sent) => {
    const reply = await inferBinary(server, "identity", [sent]);
    expect(reply.status).toBe(200);
    expect(reply.outputs).toEqual([echoed(sent)]);
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
