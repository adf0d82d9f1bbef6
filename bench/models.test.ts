// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { checkEcho, configOf, type Model, tensorNames } from "./models.ts";
import { fakeServer } from "./testing.ts";

test("one tensor has no number, several have", () => {
  expect(tensorNames("INPUT")).toEqual(["INPUT"]);
  expect(tensorNames("OUTPUT", 2)).toEqual(["OUTPUT0", "OUTPUT1"]);
});

test("the configuration says what the model asks for, and nothing else", () => {
  expect(configOf({ name: "plain", backend: "python" }).split("\n")).toEqual([
    'backend: "python"',
    "max_batch_size: 0",
    'input [ { name: "INPUT" data_type: TYPE_FP32 dims: [ -1 ] } ]',
    'output [ { name: "OUTPUT" data_type: TYPE_FP32 dims: [ -1 ] } ]',
    "instance_group [ { kind: KIND_CPU count: 1 } ]",
    "",
  ]);
  const batches = { maxBatchSize: 8, dynamicBatching: true, decoupled: true, parameters: { KEY: "64" } };
  const tensors = { inputs: ["TEXT BYTES 1"], outputs: ["BOX FP32 -1 4", "SCORE FP32 -1"] };
  expect(configOf({ name: "full", backend: "python", instances: 4, ...batches, ...tensors }).split("\n")).toEqual([
    'backend: "python"',
    "max_batch_size: 8",
    'input [ { name: "TEXT" data_type: TYPE_STRING dims: [ 1 ] } ]',
    'output [ { name: "BOX" data_type: TYPE_FP32 dims: [ -1, 4 ] } ]',
    'output [ { name: "SCORE" data_type: TYPE_FP32 dims: [ -1 ] } ]',
    "instance_group [ { kind: KIND_CPU count: 4 } ]",
    "dynamic_batching { }",
    "model_transaction_policy { decoupled: true }",
    'parameters { key: "KEY" value { string_value: "64" } }',
    "",
  ]);
});

test("an ensemble passes its tensor on from step to step", () => {
  const [platform, , , , scheduling] = configOf({ name: "e", backend: "", steps: ["first", "second"] }).split("\n");
  expect(platform).toBe('platform: "ensemble"');
  const maps = [
    ...scheduling!.matchAll(/model_name: "(\w+)" .*?key: "INPUT" value: "(\w+)" .*?key: "OUTPUT" value: "(\w+)"/g),
  ];
  expect(maps.map(([, ...names]) => names)).toEqual([
    ["first", "INPUT", "BETWEEN1"],
    ["second", "BETWEEN1", "OUTPUT"],
  ]);
});

const LENGTH = "inference-header-content-length";

interface Output {
  name: string;
  datatype: string;
  shape: number[];
  parameters: { binary_data_size: number };
  data: Buffer;
}

/** Whether an identity passes whose outputs, otherwise right, are changed by `spoil`. */
async function passes(spoil: (outputs: Output[]) => unknown, model: Partial<Model> = {}): Promise<void> {
  const server = await fakeServer(({ headers, body }) => {
    let at = Number(headers[LENGTH]);
    const { inputs } = JSON.parse(body.toString("utf8", 0, at)) as { inputs: Omit<Output, "data">[] };
    const outputs = inputs.map((input): Output => {
      const data = body.subarray(at, at + input.parameters.binary_data_size);
      at += data.length;
      return { ...input, name: input.name.replace("INPUT", "OUTPUT"), data };
    });
    spoil(outputs);
    const described = outputs.map(({ data, ...output }) => ({
      ...output,
      parameters: { binary_data_size: data.length },
    }));
    const header = Buffer.from(JSON.stringify({ model_name: "m", outputs: described }));
    return { headers: { [LENGTH]: header.length }, body: Buffer.concat([header, ...outputs.map(({ data }) => data)]) };
  });
  return checkEcho(server, { name: "m", backend: "python", ...model });
}

test("an identity passes, of any number of tensors and rows, in any order", async () => {
  await passes(() => {});
  await passes((outputs) => outputs.reverse(), { tensors: 2, maxBatchSize: 8 });
});

test.each<[string, (outputs: Output[]) => unknown, string]>([
  ["changed", ([a]) => (a!.data = Buffer.from(a!.data.map((byte) => ~byte))), "OUTPUT0 has other values"],
  ["missing", ([a]) => (a!.data = Buffer.alloc(0)), "but 0 bytes came for it"],
  ["additional", ([a]) => (a!.data = Buffer.concat([a!.data, a!.data])), "but 32 bytes came for it"],
  ["swapped", ([a, b]) => ([a!.data, b!.data] = [b!.data, a!.data]), "OUTPUT1 has other values"],
  ["no", (outputs) => outputs.pop(), "OUTPUT1 is missing"],
  ["otherwise named", ([a]) => (a!.name = "OTHER"), "OUTPUT0 is missing"],
  ["otherwise shaped", ([a]) => (a!.shape = [2, 2]), "OUTPUT0 is FP32 of [2,2] instead of FP32 of [4]"],
  ["otherwise typed", ([a]) => (a!.datatype = "INT32"), "OUTPUT0 is INT32 of [4] instead"],
])("%s values are refused", async (_, spoil, message) => {
  await expect(passes(spoil, { tensors: 2 })).rejects.toThrow(message);
});

test("a decoupled model is asked at its own place", async () => {
  const decoupled = { name: "stream", backend: "python", decoupled: true };
  const echo = await fakeServer(({ url, body }) => {
    expect(url).toBe("/v2/models/stream/generate");
    return { body: JSON.stringify({ model_name: "stream", OUTPUT: JSON.parse(body.toString()).INPUT }) };
  });
  await checkEcho(echo, decoupled);
  const other = await fakeServer(() => ({ body: '{"model_name":"stream","OUTPUT":[1]}' }));
  await expect(checkEcho(other, decoupled)).rejects.toThrow("OUTPUT is FP32 of [1] instead");
});
