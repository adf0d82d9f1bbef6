// SPDX-License-Identifier: Apache-2.0
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { serializeBytes } from "../stub/src/api/index.ts";
import { ask, difference, type WireTensor } from "./work_answers.ts";

const floats = (values: number[], shape = [values.length]): WireTensor => ({
  name: "OUT",
  datatype: "FP32",
  shape,
  data: new Uint8Array(Float32Array.from(values).buffer),
});
const integers = (values: bigint[]): WireTensor => ({
  name: "OUT",
  datatype: "INT64",
  shape: [values.length],
  data: new Uint8Array(BigInt64Array.from(values).buffer),
});

test("equal answers are alike", () => {
  expect(difference(floats([1, 2]), floats([1, 2]), {})).toBeUndefined();
  expect(difference(integers([1n, -2n]), integers([1n, -2n]), {})).toBeUndefined();
});

test("without a tolerance any difference counts", () => {
  expect(difference(floats([1, 2]), floats([1, 2.001]), {})).toMatch(/one element of OUT differs/);
  expect(difference(integers([1n]), integers([2n]), {})).toMatch(/differs by 1/);
});

test("the largest difference and the mean have limits of their own", () => {
  const [a, b] = [floats([0, 0, 0, 0]), floats([0.5, 0.25, 0.25, 0])];
  expect(difference(a, b, { largest: 0.5 })).toBeUndefined();
  expect(difference(a, b, { largest: 0.4, mean: 1 })).toMatch(/one element/);
  expect(difference(a, b, { largest: 0.5, mean: 0.25 })).toBeUndefined();
  expect(difference(a, b, { largest: 0.5, mean: 0.2 })).toMatch(/0.25 in the mean/);
});

test("shape and datatype count", () => {
  expect(difference(floats([1, 2], [2]), floats([1, 2], [1, 2]), {})).toMatch(/FP32 \[2\] in one and FP32 \[1,2\]/);
  expect(difference(floats([0, 0]), integers([0n]), {})).toMatch(/INT64 \[1\] in the other/);
});

test("what is no number is like nothing", () => {
  expect(difference(floats([Number.NaN]), floats([Number.NaN]), { largest: 1e9 })).toMatch(/no number at element 0/);
});

let fake: Server | undefined;
afterEach(() => fake?.close());

/** A fake server that answers every request alike. */
async function answering(status: number, header: string, body: Uint8Array): Promise<{ httpUrl: string }> {
  fake = createServer((request, response) => {
    request.resume().on("end", () => {
      response.writeHead(status, { "Inference-Header-Content-Length": String(header.length) });
      response.end(Buffer.concat([Buffer.from(header), body]));
    });
  });
  await new Promise<void>((resolve) => fake!.listen(0, "127.0.0.1", resolve));
  return { httpUrl: `http://127.0.0.1:${(fake.address() as AddressInfo).port}` };
}

const output = (name: string, datatype: string, shape: number[], bytes: number) => ({
  name,
  datatype,
  shape,
  parameters: { binary_data_size: bytes },
});
const input: WireTensor = { name: "TEXT", datatype: "BYTES", shape: [1], data: serializeBytes(["hello"]) };

test("outputs come in the order in which they were named", async () => {
  const [a, b] = [integers([5n]), floats([1.5])];
  const header = JSON.stringify({ outputs: [output("A", "INT64", [1], 8), output("B", "FP32", [1], 4)] });
  const server = await answering(200, header, Buffer.concat([a.data, b.data]));
  const [first, second] = await ask(server, "model", [input], ["B", "A"]);
  expect(first).toEqual({ ...b, name: "B" });
  expect(second).toEqual({ ...a, name: "A" });
});

test("an output that is missing is named", async () => {
  const server = await answering(200, JSON.stringify({ outputs: [output("A", "FP32", [0], 0)] }), new Uint8Array());
  await expect(ask(server, "model", [input], ["B"])).rejects.toThrow("must answer B, but answered A");
});

test("an error of the server is passed on", async () => {
  const server = await answering(400, '{"error":"no such model"}', new Uint8Array());
  await expect(ask(server, "model", [input], ["B"])).rejects.toThrow(/status 400: .*no such model/);
});
