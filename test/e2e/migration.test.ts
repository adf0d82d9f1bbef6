// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { packageRoot } from "../../server/package_root.ts";
import { ClientError, fetchOnce, startServer, TritonClient, tensor, texts, values } from "./harness/index.ts";

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

test("a call, a metric and a stream of docs/migration.md work as they are written", async () => {
  const [labels, ...rest] = [...guide.matchAll(/```ts\n(.*?)```/gs)].map(([, code = ""]) => code);
  expect(rest).toHaveLength(3);
  const [ask, counted, count] = rest.map((code) => ({ "1/model.ts": code }));
  const checked = 'parameters { key: "TYPE_CHECK" value { string_value: "true" } }\n';
  const labelled = block(/```\n(backend: "typescript".*?)```/s);
  const server = await startServer({
    models: [
      { name: "labels", config: labelled, files: { "1/model.ts": labels! } },
      // The same but for the scores.
      { name: "ask", config: checked + labelled.replace(/,\n *\{ name: "SCORE" .*/, ""), files: ask! },
      {
        name: "counted",
        config: `backend: "typescript"
${checked}
input [ { name: "X", data_type: TYPE_FP32, dims: [ 1 ] } ]
output [ { name: "X", data_type: TYPE_FP32, dims: [ 1 ] } ]`,
        files: counted!,
      },
      {
        name: "count",
        config: `backend: "typescript"
${checked}
input [ { name: "COUNT", data_type: TYPE_INT32, dims: [ 1 ] } ]
output [ { name: "NUMBER", data_type: TYPE_INT32, dims: [ 1 ] } ]
model_transaction_policy { decoupled: true }`,
        files: count!,
      },
    ],
  });
  const client = new TritonClient(server);

  const scores = tensor("SCORES", "FP32", [0.25, 0.5, 0.25], [1, 3]);
  const reply = await client.infer("http", "ask", { inputs: [scores] });
  expect(texts(reply.output("LABEL"))).toEqual(["dog"]);
  const wrong = tensor("SCORES", "FP32", [1, 0], [1, 2]);
  await expect(client.infer("http", "ask", { inputs: [wrong] })).rejects.toMatchObject({
    status: "400",
    message: expect.stringContaining("2 scores a row, but 3 labels."),
  });

  await client.infer("grpc", "counted", { inputs: [tensor("X", "FP32", [1], [1])] });
  const metrics = await (await fetchOnce(server.metricsUrl)).text();
  expect(metrics).toContain('counted_requests_total{model="counted"} 1');

  const parts = await client.stream("count", [{ inputs: [tensor("COUNT", "INT32", [3], [1])] }]);
  const numbers = parts.flatMap((part) => {
    if (part instanceof ClientError) throw part;
    return part.outputs.length === 0 ? [] : values(part.output("NUMBER"));
  });
  expect(numbers).toEqual([0, 1, 2]);
});
