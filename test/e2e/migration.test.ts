// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { packageRoot } from "../../server/package_root.ts";
import { startServer, TritonClient, tensor, texts, values } from "./harness/index.ts";

const guide = readFileSync(path.join(packageRoot, "docs", "migration.md"), "utf8");
const block = (begin: RegExp): string => begin.exec(guide)![1]!;

test("the example of docs/migration.md works as it is written", async () => {
  const files = { "1/model.ts": block(/```ts\n(.*?)```/s) };
  const config = block(/```\n(backend: "typescript".*?)```/s);
  const server = await startServer({ models: [{ name: "labels", config, files }] });
  const client = new TritonClient(server);
  const scores = tensor("SCORES", "FP32", [0.25, 0.5, 0.25, 0, 0.125, 0.875], [2, 3]);
  const reply = await client.infer("grpc", "labels", { inputs: [scores] });
  expect(texts(reply.output("LABEL"))).toEqual(["dog", "bird"]);
  expect(reply.output("LABEL").shape).toEqual([2, 1]);
  expect(values(reply.output("SCORE"))).toEqual([0.5, 0.875]);
  const wrong = tensor("SCORES", "FP32", [1, 0], [1, 2]);
  await expect(client.infer("http", "labels", { inputs: [wrong] })).rejects.toMatchObject({
    status: "400",
    message: expect.stringContaining("2 scores a row, but 3 labels."),
  });
});
