// SPDX-License-Identifier: Apache-2.0
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { serializeBytes } from "../stub/src/api/index.ts";
import { floats, integers } from "./testing/tensors.ts";
import { ask, type WireTensor } from "./wire.ts";

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
