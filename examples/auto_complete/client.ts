// SPDX-License-Identifier: Apache-2.0
// Shows what `batch_auto_complete` and `nobatch_auto_complete` say of themselves, and has both add and subtract.
//
//   node client.ts [http://localhost:8000]        (Node 24 or newer runs TypeScript as it is)

import { HttpClient, Tensor } from "triton-typescript/client/http";

const [url = "http://localhost:8000"] = process.argv.slice(2);

const client = new HttpClient({ url });

async function config(model: string): Promise<string> {
  const found = await client.modelConfig(model);
  const tensors = [...found.input, ...found.output].map(
    ({ name, data_type, dims }) => `${name} ${data_type} [${dims}]`,
  );
  const batcher = found.dynamic_batching ? ", dynamic batching" : "";
  return `max_batch_size ${found.max_batch_size}${batcher}, ${tensors.join(", ")}`;
}

async function infer(model: string, shape: number[]): Promise<string> {
  const inputs = [
    new Tensor("INPUT0", Float32Array.of(1, 2, 3, 4), shape),
    new Tensor("INPUT1", Float32Array.of(4, 3, 2, 1), shape),
  ];
  const { outputs } = await client.infer(model, inputs);
  return outputs.map(({ name, data }) => `${name} ${data.join(" ")}`).join("  ");
}

const tensors = ["INPUT0", "INPUT1", "OUTPUT0", "OUTPUT1"].map((name) => `${name} TYPE_FP32 [4]`).join(", ");
const models = [
  { model: "nobatch_auto_complete", says: `max_batch_size 0, ${tensors}`, shape: [4] },
  { model: "batch_auto_complete", says: `max_batch_size 4, dynamic batching, ${tensors}`, shape: [1, 4] },
];
let passed = true;
for (const { model, says, shape } of models) {
  const [found, answer] = [await config(model), await infer(model, shape)];
  console.log(`${model}: ${found}`);
  console.log(`  ${answer}`);
  passed &&= found === says && answer === "OUTPUT0 5 5 5 5  OUTPUT1 -3 -1 1 3";
}
console.log(passed ? "PASS" : "FAIL: something is not what it should be.");
process.exitCode = passed ? 0 : 1;
