// SPDX-License-Identifier: Apache-2.0
// Has `bls_sync` and `bls_async` add and subtract by other models, and checks what comes back.
//
//   node client.ts [http://localhost:8000]        (Node 24 or newer runs TypeScript as it is)

import { ClientError, HttpClient, Tensor } from "triton-typescript/client/http";

const [url = "http://localhost:8000"] = process.argv.slice(2);

const client = new HttpClient({ url });
const a = new Tensor("INPUT0", Float32Array.of(1, 2, 3, 4), [4]);
const b = new Tensor("INPUT1", Float32Array.of(4, 3, 2, 1), [4]);

/** Asks a model; `modelName` is whom `bls_sync` is to ask. Returns what the line about it says. */
async function ask(model: string, modelName?: string): Promise<string> {
  const inputs = modelName === undefined ? [a, b] : [a, b, new Tensor("MODEL_NAME", [modelName], [1])];
  try {
    const { outputs } = await client.infer(model, inputs as Tensor[]);
    return outputs.map(({ name, data }) => `${name} ${data.join(" ")}`).join("  ");
  } catch (error) {
    if (error instanceof ClientError && error.serverMessage !== undefined) return error.serverMessage;
    throw error;
  }
}

const right = "OUTPUT0 5 5 5 5  OUTPUT1 -3 -1 1 3";
let passed = true;
for (const name of ["add_sub", "pytorch", "undefined_model"]) {
  const found = await ask("bls_sync", name);
  console.log(`${`bls_sync asks ${name}:`.padEnd(31)} ${found}`);
  passed &&= name === "undefined_model" ? found.includes("unknown model: 'undefined_model'") : found === right;
}
const found = await ask("bls_async");
console.log(`${"bls_async asks both:".padEnd(31)} ${found}`);
passed &&= found === right;
console.log(passed ? "PASS" : "FAIL: an answer is not what it should be.");
process.exitCode = passed ? 0 : 1;
