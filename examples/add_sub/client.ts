// SPDX-License-Identifier: Apache-2.0
// Sends two vectors of 16 numbers to the model `add_sub` and checks the sum and the difference that come back.
//
//   node client.ts [http://localhost:8000]        (Node 24 or newer runs TypeScript as it is)

import { HttpClient, Tensor } from "triton-typescript/client/http";

const [url = "http://localhost:8000"] = process.argv.slice(2);

const a = Float32Array.from({ length: 16 }, (_, i) => i);
const b = new Float32Array(16).fill(2);
const client = new HttpClient({ url });
const answer = await client.infer("add_sub", [new Tensor("INPUT0", a, [1, 16]), new Tensor("INPUT1", b, [1, 16])]);

const sum = answer.output("OUTPUT0", "FP32").data;
const difference = answer.output("OUTPUT1", "FP32").data;
console.log("INPUT0 ", ...a);
console.log("INPUT1 ", ...b);
console.log("OUTPUT0", ...sum);
console.log("OUTPUT1", ...difference);
const right = a.every((x, i) => sum[i] === x + b[i]! && difference[i] === x - b[i]!);
console.log(right ? "PASS" : "FAIL: the answer is not the sum and the difference.");
process.exitCode = right ? 0 : 1;
