// SPDX-License-Identifier: Apache-2.0
// Shows what `batch_auto_complete` and `nobatch_auto_complete` say of themselves, and has both add and subtract.
// No package is needed: Triton speaks plain HTTP, and small tensors fit into JSON.
//
//   node client.ts [http://localhost:8000]        (Node 24 or newer runs TypeScript as it is)

const [url = "http://localhost:8000"] = process.argv.slice(2);

interface TensorConfig {
  readonly name: string;
  readonly data_type: string;
  readonly dims: number[];
}

interface Config {
  readonly max_batch_size: number;
  readonly dynamic_batching?: object;
  readonly input: readonly TensorConfig[];
  readonly output: readonly TensorConfig[];
}

interface Answer {
  readonly outputs: readonly { readonly name: string; readonly data: number[] }[];
}

async function config(model: string): Promise<string> {
  const found = (await (await fetch(`${url}/v2/models/${model}/config`)).json()) as Config;
  const tensors = [...found.input, ...found.output].map(
    ({ name, data_type, dims }) => `${name} ${data_type} [${dims}]`,
  );
  const batcher = found.dynamic_batching ? ", dynamic batching" : "";
  return `max_batch_size ${found.max_batch_size}${batcher}, ${tensors.join(", ")}`;
}

async function infer(model: string, shape: number[]): Promise<string> {
  const inputs = [
    { name: "INPUT0", datatype: "FP32", shape, data: [1, 2, 3, 4] },
    { name: "INPUT1", datatype: "FP32", shape, data: [4, 3, 2, 1] },
  ];
  const response = await fetch(`${url}/v2/models/${model}/infer`, { method: "POST", body: JSON.stringify({ inputs }) });
  const { outputs } = (await response.json()) as Answer;
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
