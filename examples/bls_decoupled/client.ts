// SPDX-License-Identifier: Apache-2.0
// Asks `bls_decoupled_sync` and `bls_decoupled_async` for sums of what `square_int32` streams, and checks them.
//
//   node client.ts [http://localhost:8000]        (Node 24 or newer runs TypeScript as it is)

import { HttpClient, Tensor } from "triton-typescript/client/http";

const [url = "http://localhost:8000"] = process.argv.slice(2);

const client = new HttpClient({ url });

async function sum(model: string, value: number): Promise<number> {
  const { outputs } = await client.infer(model, [new Tensor("IN", Int32Array.of(value), [1])]);
  return Number(outputs[0]!.data[0]);
}

let passed = true;
for (const [model, times] of [
  ["bls_decoupled_sync", 1],
  ["bls_decoupled_async", 2],
] as const) {
  const values = [4, 2, 0, 1];
  const sums = await Promise.all(values.map((value) => sum(model, value)));
  console.log(`${`${model}:`.padEnd(20)} ${values.map((value, i) => `${value} gives ${sums[i]}`).join(", ")}`);
  passed &&= values.every((value, i) => sums[i] === times * value * value);
}
console.log(passed ? "PASS" : "FAIL: a sum is not what it should be.");
process.exitCode = passed ? 0 : 1;
