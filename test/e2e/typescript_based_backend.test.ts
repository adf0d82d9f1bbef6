// SPDX-License-Identifier: Apache-2.0
// A backend that is a folder with a model.ts: models name it in their config.pbtxt and bring no code.
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { listing, requestJson, startServer, type TestServer, TritonClient, tensor, values } from "./harness/index.ts";

const backends = fileURLToPath(new URL("../fixtures/backends/", import.meta.url));
const scaled = (name: string, factor: string) => ({
  name,
  config: 'backend: "scaler"',
  files: { "1/factor.txt": factor },
});

let server: TestServer;
let client: TritonClient;
let before: string[];

beforeAll(async () => {
  before = listing(backends);
  server = await startServer({
    models: [
      scaled("threefold", "3"),
      scaled("halved", "0.5"),
      "numbers",
      { ...scaled("bare", "1"), files: { "1/.keep": "" } },
    ],
    backends: [backends],
    backendConfig: ["scaler,describe=true"],
  });
  client = new TritonClient(server);
});

test("serves every model that names it", async () => {
  const inputs = [tensor("IN", "FP32", [1, 2, -4])];
  const [threefold, halved] = await Promise.all([
    client.infer("http", "threefold", { inputs }),
    client.infer("grpc", "halved", { inputs }),
  ]);
  expect(values(threefold.output("OUT"))).toEqual([3, 6, -12]);
  expect(values(halved.output("OUT"))).toEqual([0.5, 1, -2]);
});

test("gets its own options and folder", async () => {
  expect((await requestJson(`${server.url}/v2/models/halved/config`)).body).toMatchObject({
    backend: "scaler",
    input: [{ name: "IN", data_type: "TYPE_FP32" }],
  });
  await server.waitForLog(/\[halved_0\] backend directory \S*\/scaler/);
});

test("serves beside the backend typescript", async () => {
  const reply = await client.infer("http", "numbers", { inputs: [tensor("INPUT", "FP32", [1])], outputs: ["DOUBLED"] });
  expect(values(reply.output("DOUBLED"))).toEqual([2]);
});

test("may refuse a model", async () => {
  expect(await server.isModelReady("bare")).toBe(false);
  const { body } = await requestJson(`${server.url}/v2/repository/index`, {});
  expect(body.find(({ name }: { name: string }) => name === "bare").reason).toMatch(/factor\.txt/);
});

test("has nothing written into its folder", () => {
  expect(listing(backends)).toEqual(before);
});
